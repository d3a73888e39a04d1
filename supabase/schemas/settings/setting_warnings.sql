-- Settings that are allowed and hardly meant: a key that no file of the table has, sizes and times that contradict each
-- other. A row stays until it is mended. Of each table the newest 100 files are looked at.
create or replace view public.setting_warnings with (security_invoker = true) as
  select 'table_settings'::text as settings, t.dataset_id, t."table", k.column_name,
    format('no file has the column %s: tables with it are not compacted', k.key) as warning
  from public.table_settings t
  cross join lateral (
    select 'sort_keys'::text as column_name, btrim(regexp_replace(u.key, '\s+(asc|desc)\s*$', '', 'i')) as key
    from unnest(t.sort_keys) u (key)
    union all
    select 'dedupe_keys'::text as column_name, u.key from unnest(t.dedupe_keys) u (key)
  ) k
  cross join lateral (
    select count(*) as files, coalesce(bool_or(s.schema -> 'children' @> jsonb_build_array(
      jsonb_build_object('name', k.key))), false) as there
    from (
      select f.schema_digest from public.battle_files f
      where f.dataset_id = t.dataset_id and f."table" = t."table" and f.removed_version is null
      order by f.period_tag desc, f.seq_min desc limit 100
    ) f
    join public.file_schemas s on s.digest = f.schema_digest and s.schema ? 'children'
  ) seen
  where t."table" <> '*' and seen.files > 0 and not seen.there
  union all
  select 'service_settings', null, null, w.column_name, w.warning
  from public.service_settings s
  cross join lateral (values
    ('healthy_row_group_bytes', 'is above target_row_group_bytes: no output is healthy',
      s.healthy_row_group_bytes > s.target_row_group_bytes),
    ('target_row_group_bytes', 'is below target_page_bytes: a row group holds less than a page',
      s.target_row_group_bytes < s.target_page_bytes),
    ('backoff_base_seconds', 'is above backoff_cap_seconds', s.backoff_base_seconds > s.backoff_cap_seconds),
    ('max_run_seconds', 'is below lease_seconds: a run ends before its first lease',
      s.max_run_seconds < s.lease_seconds),
    ('max_workers', 'is 0: the clockwork wakes no worker', s.max_workers = 0),
    ('signed_url_seconds', 'is above retention_seconds: vacuum waits for the URLs, not for the versions',
      s.signed_url_seconds > s.retention_seconds),
    ('alert_webhooks', 'is empty: alerts reach nobody', s.alert_webhooks = '[]')
  ) w (column_name, warning, holds)
  where w.holds;
