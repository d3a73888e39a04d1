-- The data files of a dataset as of one version (the newest when p_version is null), ordered by
-- table (its first name), period_tag and upload order. A cursor pins its version: later pages show the same version, or version_gone
-- once that is no longer kept. p_from and p_to bound the period_tag, both included. A page ends before p_limit where it
-- has come to 2 MiB.
-- Returns {dataset_id, version, committed_at, signed_url_seconds, files: [{id, object_key, start_byte, byte_length, table,
-- period_tag, size, level, state, lost (a merge
-- missed its bytes and a second look is to come), quarantine_code, quarantine_reason, row_count, row_group_count,
-- uncompressed_bytes, schema_fingerprint, schema_digest, stats, etag, seq_min, seq_max, uploaded_at, added_version}],
-- columns: {schema_digest: [name of each of its first 128 columns]} (what stats stand by: shared/catalog/packed_stats.ts),
-- totals (of the dataset at the version, as sediment.version_totals says, whatever was asked for), next_cursor}. size is
-- byte_length: a slice's own length, not its object's.
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
  v_marks boolean;
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  f public.battle_files;
  v_files jsonb[] := '{}'::jsonb[];
  v_bytes bigint := 0;
  v_more boolean := false;
  v_table text := p_table;
  v_names jsonb;
  v_last text;
  v_columns jsonb := '{}'::jsonb;
  v_new jsonb;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.require_dataset(p_user, p_dataset);
  -- after the version that is shown: a mark that comes between the two would be missed by its own version
  v_marks := sediment.has_marks(p_dataset);
  v_names := sediment.names_of(d);
  if d.has_aliases then
    v_table := sediment.table_of(d.id, p_table);
  end if;
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile. One by
  -- one: as text the bounds of a file's columns may be a hundred times what they are as stored, and only those of the
  -- page are to be unpacked.
  for f in
    (select x.* from public.battle_files x
      where x.dataset_id = d.id and x.removed_version is null and x.added_version <= v_version
        and not (v_marks and sediment.is_marked(x, v_version))
        and (v_table is null or x."table" = v_table) and (p_period_tag is null or x.period_tag = p_period_tag)
        and (p_from is null or x.period_tag >= p_from) and (p_to is null or x.period_tag <= p_to)
        and (v_cursor is null or (x."table", x.period_tag, x.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by x."table", x.period_tag, x.seq_min limit v_limit + 1)
    union all
    (select x.* from public.battle_files x
      where x.dataset_id = d.id and x.removed_version > v_version and x.added_version <= v_version
        and (v_table is null or x."table" = v_table) and (p_period_tag is null or x.period_tag = p_period_tag)
        and (p_from is null or x.period_tag >= p_from) and (p_to is null or x.period_tag <= p_to)
        and (v_cursor is null or (x."table", x.period_tag, x.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by x."table", x.period_tag, x.seq_min limit v_limit + 1)
    order by "table", period_tag, seq_min limit v_limit + 1
  loop
    v_bytes := v_bytes + 1000
      -- packed ones (shared/catalog/packed_stats.ts) are some three times as long when they are told, without names five
      + case when pg_column_size(f.stats) > 200
        then octet_length(f.stats::text) * case jsonb_typeof(f.stats) when 'string' then 5 else 1 end else 300 end;
    v_new := null;
    if jsonb_typeof(f.stats) = 'string' and not v_columns ? coalesce(f.schema_digest, '') then
      select jsonb_build_object(f.schema_digest, jsonb_path_query_array(s.schema, '$.children[0 to 127].name')) into v_new
      from public.file_schemas s where s.digest = f.schema_digest;
      v_bytes := v_bytes + coalesce(octet_length(v_new::text), 0);
    end if;
    v_more := cardinality(v_files) = v_limit or (v_bytes > 2097152 and cardinality(v_files) > 0);
    exit when v_more;
    v_last := f."table";
    v_columns := v_columns || coalesce(v_new, '{}');
    v_files := v_files || jsonb_build_object(
      'id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length,
      'table', coalesce(v_names ->> f."table", f."table"), 'period_tag', f.period_tag, 'size', f.byte_length, 'level', f.level, 'state', f.state,
      'lost', f.lost_since is not null,
      'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
      'row_count', f.row_count, 'row_group_count', f.row_group_count,
      'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
      'schema_digest', f.schema_digest, 'stats', f.stats, 'etag', sediment.etag_of(f.etag, f.object_key), 'seq_min', f.seq_min, 'seq_max', f.seq_max,
      'uploaded_at', f.uploaded_at, 'added_version', f.added_version);
  end loop;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    -- to a key, as long as it lives itself
    'signed_url_seconds', (select least(s.signed_url_seconds, (
        select greatest(1, floor(extract(epoch from m.expires_at - clock_timestamp())))::integer
        from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_user and m.expires_at is not null))
      from public.service_settings s), 'files', to_jsonb(v_files), 'columns', v_columns,
    'totals', sediment.version_totals(d, v_version), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_last,
      'p', v_files[cardinality(v_files)] -> 'period_tag', 's', v_files[cardinality(v_files)] -> 'seq_min')) end);
end $$;
