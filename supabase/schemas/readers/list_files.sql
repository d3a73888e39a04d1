-- The data files of a dataset as of one version (the newest when p_version is null), ordered by table,
-- period_tag and upload order. A cursor pins its version: later pages show the same version, or version_gone
-- once that is no longer kept. p_from and p_to bound the period_tag, both included.
-- Returns {dataset_id, version, committed_at, files: [{id, object_key, start_byte, byte_length, table,
-- period_tag, size, level, state, lost (a merge
-- missed its bytes and a second look is to come), quarantine_code, quarantine_reason, row_count, row_group_count,
-- uncompressed_bytes, schema_fingerprint, stats, etag, seq_min, seq_max, uploaded_at, added_version}],
-- next_cursor}. size is byte_length: a slice's own length, not its object's.
-- Raises not_found, dataset_forbidden, version_gone, version_unknown, invalid_cursor.
create or replace function public.list_files(
  p_user uuid, p_dataset uuid, p_table text default null, p_period_tag text default null,
  p_from text default null, p_to text default null, p_version bigint default null, p_limit integer default 1000,
  p_cursor text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_version bigint;
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_files jsonb;
  v_more boolean;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.own_dataset(p_user, p_dataset);
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile.
  with page as (
    (select f.* from public.battle_files f
      where f.dataset_id = d.id and f.removed_version is null and f.added_version <= v_version
        and (p_table is null or f."table" = p_table) and (p_period_tag is null or f.period_tag = p_period_tag)
        and (p_from is null or f.period_tag >= p_from) and (p_to is null or f.period_tag <= p_to)
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    union all
    (select f.* from public.battle_files f
      where f.dataset_id = d.id and f.removed_version > v_version and f.added_version <= v_version
        and (p_table is null or f."table" = p_table) and (p_period_tag is null or f.period_tag = p_period_tag)
        and (p_from is null or f.period_tag >= p_from) and (p_to is null or f.period_tag <= p_to)
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    order by "table", period_tag, seq_min limit v_limit + 1
  ), kept as (
    select * from page order by "table", period_tag, seq_min limit v_limit
  )
  select coalesce(jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'table', k."table", 'period_tag', k.period_tag, 'size', k.byte_length, 'level', k.level, 'state', k.state,
      'lost', k.lost_since is not null,
      'quarantine_code', k.quarantine_code, 'quarantine_reason', k.quarantine_reason,
      'row_count', k.row_count, 'row_group_count', k.row_group_count,
      'uncompressed_bytes', k.uncompressed_bytes, 'schema_fingerprint', k.schema_fingerprint,
      'stats', k.stats, 'etag', k.etag, 'seq_min', k.seq_min, 'seq_max', k.seq_max,
      'uploaded_at', k.uploaded_at, 'added_version', k.added_version)
      order by k."table", k.period_tag, k.seq_min), '[]'),
    (select count(*) > v_limit from page)
  into strict v_files, v_more from kept k;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'files', v_files, 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_files -> -1 -> 'table', 'p', v_files -> -1 -> 'period_tag',
      's', v_files -> -1 -> 'seq_min')) end);
end $$;
