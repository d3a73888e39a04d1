-- REVIEW: say here what it brings, and what an operator should know of it.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.list_files(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_from text DEFAULT NULL::text, p_to text DEFAULT NULL::text, p_version bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.list_tables(p_user uuid, p_dataset uuid, p_version bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 5000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_version bigint;
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 5000), 1), 10000);
  v_partitions jsonb;
  v_schemas jsonb;
  v_next jsonb;
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
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, f.schema_fingerprint
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version is null and f.added_version <= v_version
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    union all
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, f.schema_fingerprint
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version > v_version and f.added_version <= v_version
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
  ), numbered as (
    select p.*, row_number() over (order by p."table", p.period_tag, p.seq_min) as place from page p
  ), known as (
    select s.fingerprint, s.schema, x.place,
      sum(octet_length(s.schema::text)) over (order by x.place) as bytes
    from (
      select n.schema_fingerprint, min(n.place) as place from numbered n where n.place <= v_limit
      group by n.schema_fingerprint
    ) x
    join public.file_schemas s on s.fingerprint = x.schema_fingerprint
  ), cut as (
    select least(v_limit + 1, min(k.place)) as place from known k where k.bytes > 1048576 and k.place > 1
  ), kept as (
    select n.* from numbered n cross join cut c where n.place < c.place
  ), by_schema as (
    select k."table", k.period_tag, k.schema_fingerprint, min(k.place) as place, count(*) as files,
      sum(k.row_count) as rows, sum(k.byte_length) as bytes, sum(k.uncompressed_bytes) as uncompressed,
      count(*) filter (where k.state = 'quarantined') as quarantined, max(k.uploaded_at) as last
    from kept k group by k."table", k.period_tag, k.schema_fingerprint
  ), by_period as (
    select jsonb_build_object('table', b."table", 'period_tag', b.period_tag, 'files', sum(b.files),
        'rows', sum(b.rows), 'bytes', sum(b.bytes), 'uncompressed_bytes', sum(b.uncompressed),
        'quarantined_files', sum(b.quarantined), 'last_uploaded_at', max(b.last),
        'schemas', jsonb_agg(jsonb_build_object('fingerprint', b.schema_fingerprint, 'files', b.files, 'rows', b.rows)
          order by b.place)) as one,
      min(b.place) as place
    from by_schema b group by b."table", b.period_tag
  )
  select
    (select coalesce(jsonb_agg(p.one order by p.place), '[]') from by_period p),
    (select coalesce(jsonb_object_agg(k.fingerprint, k.schema), '{}') from known k, cut c where k.place < c.place),
    (select jsonb_build_object('d', d.id, 'v', v_version, 't', k."table", 'p', k.period_tag, 's', k.seq_min)
      from kept k where exists (select 1 from numbered n cross join cut c where n.place >= c.place)
      order by k.place desc limit 1)
  into strict v_partitions, v_schemas, v_next;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'partitions', v_partitions, 'schemas', v_schemas,
    'next_cursor', case when v_next is not null then sediment.encode_cursor(v_next) end);
end $function$;

revoke all on function "public"."list_tables"(uuid, uuid, bigint, integer, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.readable_version(p_dataset public.datasets, p_version bigint)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_version bigint := coalesce(p_version, p_dataset.version);
begin
  if v_version < p_dataset.oldest_kept_version then
    perform sediment.fail('version_gone', 410, format('version %s is no longer kept', v_version),
      format('%s or later', p_dataset.oldest_kept_version));
  end if;
  if v_version > p_dataset.version then
    perform sediment.fail('version_unknown', 404, format('there is no version %s', v_version),
      format('at most %s', p_dataset.version));
  end if;
  return v_version;
end $function$;

revoke all on function "sediment"."readable_version"(public.datasets, bigint) from public, anon, authenticated, service_role;

REVOKE ALL ON FUNCTION "public"."list_tables"(uuid, uuid, bigint, integer, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_tables"(uuid, uuid, bigint, integer, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."readable_version"(public.datasets, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."readable_version"(public.datasets, bigint) TO "service_role";
