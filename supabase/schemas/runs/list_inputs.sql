-- The visible data files of a partition in upload order, at most p_limit, after a cursor (a seq_min). Bad ones
-- are in the list and marked: they are barriers for tables that dedupe. So are, for a while, those whose bytes were found
-- gone or changed: they wait for a second look. The schemas of the others come along
-- by fingerprint, that of the first file of each, in upload order as far as 100 and 1 MiB of text go; files of schemas
-- beyond are merged with their like only.
-- `drop` names the uploads, by their seq, that are being deleted and of which a file may hold rows: whatever is made of it
-- leaves them out (sediment.check_dropped).
-- No plan touches what is full grown (shared/compaction/plan/tiers.ts) or in quarantine, and there may be thousands before
-- the first file that matters: of those only the first 100 are in a list, and in a table that dedupes the first of each
-- stretch of them, which is the same barrier. By the settings of the moment: files that a new setting makes small again
-- are listed again.
--   p_only: the files on trial (sediment.narrow_claim), or null: all. What lies between them is nobody's to merge, and in a
--           table that dedupes it is a barrier: it is listed as if it were in quarantine
--   p_settings: of the partition (sediment.partition_settings)
create or replace function sediment.list_inputs(
  p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer,
  p_only bigint[], p_settings jsonb
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_told constant integer := 100;
  v_grown constant bigint := ceil(0.75 * (p_settings ->> 'target_file_bytes')::bigint);
  v_healthy constant bigint := (p_settings ->> 'healthy_row_group_bytes')::bigint;
  -- uploads of any size are written anew for the lake
  v_lake constant boolean := p_settings ? 'lake';
  v_dedupe constant boolean := jsonb_array_length(p_settings -> 'dedupe_keys') > 0;
  v_page jsonb;
  v_schema record;
  v_schemas jsonb := '{}'::jsonb;
  v_count integer := 0;
  v_bytes integer := 0;
  v_marks constant boolean := sediment.has_marks(p_dataset);
  v_pending constant int8multirange := sediment.pending_seqs(p_dataset, p_table, p_period_tag);
  v_first bigint;
  v_last bigint;
begin
  if p_only is not null and v_dedupe then
    select min(f.seq_min), max(f.seq_min) into v_first, v_last from public.battle_files f where f.id = any (p_only);
  end if;
  -- in the index's order, so that it ends with the page
  with told as (
    select x.*, count(*) filter (where x.done) over w as done_so_far, lag(x.done) over w as after_done
    from (
      select f.*, o.is_between, o.is_between or f.state <> 'active' or (f.byte_length >= v_grown and f.rewrite is null
        and (v_pending is null or not sediment.seqs_of(f) && v_pending) and not (f.level = 0
        and (f.row_group_count > 1 and f.uncompressed_bytes < v_healthy * f.row_group_count
          or v_lake and f.lake_version is null))) as done
      from public.battle_files f
      cross join lateral (select p_only is not null and f.id <> all (p_only) as is_between) o
      where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
        and f.removed_version is null and f.seq_min > p_after
        and not (v_marks and sediment.is_marked(f, 9223372036854775807))
        and (p_only is null or f.id = any (p_only) or f.seq_min between v_first and v_last)
    ) x
    window w as (order by x.seq_min)
  ), page as (
    select t.* from told t
    where not t.done or t.done_so_far <= v_told or (p_only is not null and not t.is_between) or (v_dedupe and t.after_done is not true)
    order by t.seq_min
    limit p_limit + 1
  ), kept as (
    -- as sediment.fingerprint_of and etag_of have it, without a call for each file
    select p.*, coalesce(p.schema_fingerprint,
      (select x.fingerprint from public.file_schemas x where x.digest = p.schema_digest)) as fingerprint
    from page p order by p.seq_min limit p_limit
  )
  select jsonb_build_object(
    'files', coalesce((select jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'level', k.level, 'seq_min', k.seq_min, 'seq_max', k.seq_max, 'row_count', k.row_count,
      'row_group_count', k.row_group_count, 'uncompressed_bytes', k.uncompressed_bytes,
      'value_count', k.value_count, 'merge_facts', k.merge_facts, 'schema_fingerprint', k.fingerprint,
      'state', case when k.is_between or k.lost_since > clock_timestamp() - (select make_interval(secs => s.second_look_seconds)
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 
      'etag', coalesce(k.etag, (select o.etag from public.objects o where o.object_key = k.object_key)),
      'uploaded_at', k.uploaded_at, 'rewrite', k.rewrite,
      'apart', k.apart, 'lake_version', k.lake_version,
      'provenance', case when k.provenance_length is not null then jsonb_build_object('start', k.provenance_start,
        'length', k.provenance_length) end,
      'drop', case when v_pending is not null then (
        select jsonb_agg(s.seq order by s.seq) from public.deleted_slices s
        where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag and s.version is null
          and coalesce(k.seqs, int8multirange(int8range(k.seq_min, k.seq_max, '[]'))) @> s.seq) end)
      order by k.seq_min) from kept k), '[]'),
    'digests', coalesce((select jsonb_agg(jsonb_build_array(d.fingerprint, d.digest) order by d.seq_min) from (
      select distinct on (k.fingerprint) k.fingerprint, k.seq_min,
        coalesce(k.schema_digest, k.schema_fingerprint) as digest
      from kept k where k.state = 'active' and not k.is_between order by k.fingerprint, k.seq_min) d), '[]'),
    'part', (select count(*) filter (where k.done) >= v_told from kept k),
    'more', (select count(*) > p_limit from page),
    'cursor', case when (select count(*) > p_limit from page) then (select max(k.seq_min)::text from kept k) end)
  into strict v_page;

  -- one by one: as text a schema may be a hundred times what it is as stored, and only what fits is to be unpacked
  for v_schema in
    select d.value ->> 0 as fingerprint, x.schema
    from jsonb_array_elements(v_page -> 'digests') with ordinality as d(value, n)
    join public.file_schemas x on x.digest = d.value ->> 1
    order by d.n
  loop
    v_count := v_count + 1;
    v_bytes := v_bytes + octet_length(v_schema.schema::text);
    exit when v_count > 100 or v_bytes > 1048576;
    v_schemas := v_schemas || jsonb_build_object(v_schema.fingerprint, v_schema.schema);
  end loop;
  return v_page - 'digests' || jsonb_build_object('schemas', v_schemas);
end $$;
