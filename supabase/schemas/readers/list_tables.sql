-- What the tables of a dataset hold as of one version (the newest when p_version is null), summed up by table and
-- period_tag in that order. A call looks at p_limit files at most (10,000), and at as many schemas as 1 MiB of their
-- text, and goes on at its cursor, which pins the version: a period_tag that is cut in two comes twice, and its sums
-- add up.
-- Returns {dataset_id, version, committed_at, partitions: [{table, period_tag, files, rows, bytes,
-- uncompressed_bytes, quarantined_files, last_uploaded_at, schemas: [{fingerprint, files, rows}]}],
-- schemas: {fingerprint: schema}, next_cursor}.
-- Raises not_found, dataset_forbidden, version_gone, version_unknown, invalid_cursor.
create or replace function public.list_tables(
  p_user uuid, p_dataset uuid, p_version bigint default null, p_limit integer default 5000, p_cursor text default null
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
  v_limit integer := least(greatest(coalesce(p_limit, 5000), 1), 10000);
  v_partitions jsonb;
  v_schemas jsonb;
  v_next jsonb;
  v_names jsonb;
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
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile.
  with page as (
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest) as schema_fingerprint,
        coalesce(f.schema_digest, f.schema_fingerprint) as digest
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version is null and f.added_version <= v_version
        and not (v_marks and sediment.is_marked(f, v_version))
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    union all
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest) as schema_fingerprint,
        coalesce(f.schema_digest, f.schema_fingerprint) as digest
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version > v_version and f.added_version <= v_version
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
  ), numbered as (
    select p.*, row_number() over (order by p."table", p.period_tag, p.seq_min) as place from page p
  ), known as (
    select x.schema_fingerprint as fingerprint, s.schema, x.place,
      sum(octet_length(s.schema::text)) over (order by x.place) as bytes
    from (
      -- of several schemas of one fingerprint that of the first file whose is known stands for all
      select distinct on (n.schema_fingerprint) n.schema_fingerprint, n.digest, n.place
      from numbered n
      where n.place <= v_limit and exists (select 1 from public.file_schemas k where k.digest = n.digest)
      order by n.schema_fingerprint, n.place
    ) x
    join public.file_schemas s on s.digest = x.digest
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
    select jsonb_build_object('table', coalesce(v_names ->> b."table", b."table"), 'period_tag', b.period_tag, 'files', sum(b.files),
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
end $$;
