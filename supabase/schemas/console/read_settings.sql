-- The settings of the deployment with what each means (its column's comment), what is set for single tables and users,
-- what is hardly meant, and the last 100 changes. Of webhooks kinds and hosts only.
-- Returns {settings: [{name, value, says, unit, default}], tables: [{dataset_id, table, settings}] and
-- users: [{user_id, settings}], 200 of each at most, warnings: [{settings, dataset_id, table, column_name, warning}],
-- history: [{changed_at, settings, dataset_id, table, user_id, column_name, old_value, new_value, role, subject}]}.
create or replace function public.read_settings()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_row constant jsonb := (select to_jsonb(s) from public.service_settings s);
  v_kept constant text[] := '{id,planner_version,plan_changed_at,signed_url_until,updated_at}'::text[];
begin
  return jsonb_build_object(
    'settings', (
      select jsonb_agg(jsonb_build_object('name', a.attname, 'value', sediment.shown_setting(a.attname, v_row -> a.attname::text),
        'says', btrim(substring(c.says from '^(.*?)\s*Unit:')), 'unit', substring(c.says from 'Unit:\s*(.*?)\.?\s*Default:'),
        'default', substring(c.says from 'Default:\s*(.*?)\.?\s*$')) order by a.attname)
      from pg_catalog.pg_attribute a
      cross join lateral (select pg_catalog.col_description(a.attrelid, a.attnum) as says) c
      where a.attrelid = 'public.service_settings'::regclass and a.attnum > 0 and not a.attisdropped
        and a.attname <> all (v_kept)),
    'tables', (
      select coalesce(jsonb_agg(jsonb_build_object('dataset_id', t.dataset_id, 'table', t."table",
        'settings', jsonb_strip_nulls(to_jsonb(t) - array['dataset_id', 'table', 'updated_at']))), '[]')
      from (select * from public.table_settings x order by x.updated_at desc limit 200) t),
    'users', (
      select coalesce(jsonb_agg(jsonb_build_object('user_id', u.user_id,
        'settings', jsonb_strip_nulls(to_jsonb(u) - array['user_id', 'updated_at']))), '[]')
      from (select * from public.user_limits x order by x.updated_at desc limit 200) u),
    'warnings', (
      select coalesce(jsonb_agg(to_jsonb(w)), '[]') from (select * from public.setting_warnings x limit 100) w),
    'history', (
      select coalesce(jsonb_agg(to_jsonb(h) - 'id' order by h.changed_at desc), '[]')
      from (select * from public.settings_history x order by x.changed_at desc, x.id desc limit 100) h));
end $$;
