-- Remembers of data files that a merge has set them apart, sound as they are (battle_files.apart, set_apart), so that no
-- later plan reads them again for nothing. Rows of before have no mark. Functions of this release need it (schema_version 3).
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."battle_files" ADD COLUMN "apart" jsonb;

CREATE OR REPLACE FUNCTION public.set_apart(p_run uuid, p_token bigint, p_files jsonb, p_planner integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_changed integer;
begin
  if p_planner is null or jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) > 20000
    or exists (select 1 from jsonb_to_recordset(p_files) as m(id bigint, object_key text, kind text, reason text)
      where m.id is null or m.object_key is null or m.reason is null
        or coalesce(m.kind, '') not in ('schema', 'values', 'memory'))
  then
    perform sediment.fail('invalid_request', 400, 'p_files is not an array of files with id, object_key, kind and reason');
  end if;
  p := sediment.lock_lease(p_run, p_token);
  update public.battle_files f
  set apart = jsonb_build_object('kind', m.kind, 'reason', left(m.reason, 500), 'planner', p_planner)
  from jsonb_to_recordset(p_files) as m(id bigint, object_key text, kind text, reason text)
  where f.id = m.id and f.object_key = m.object_key and f.dataset_id = p.dataset_id and f."table" = p."table"
    and f.period_tag = p.period_tag and f.removed_version is null and f.state = 'active'
    and (f.apart is null or f.apart ->> 'kind' <> m.kind or (f.apart -> 'planner')::integer <> p_planner);
  get diagnostics v_changed = row_count;
  -- A file that is planned otherwise from now on is progress, as one in quarantine is, and happens once a planner.
  update public.processing_metrics r set attempts = case when v_changed > 0 then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('changed', v_changed);
end $function$;

revoke all on function "public"."set_apart"(uuid, bigint, jsonb, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.list_inputs(p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer, p_only bigint[], p_settings jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_told constant integer := 100;
  v_grown constant bigint := ceil(0.75 * (p_settings ->> 'target_file_bytes')::bigint);
  v_healthy constant bigint := p_settings ->> 'healthy_row_group_bytes';
  v_dedupe constant boolean := jsonb_array_length(p_settings -> 'dedupe_keys') > 0;
  v_page jsonb;
  v_schema record;
  v_schemas jsonb := '{}';
  v_count integer := 0;
  v_bytes integer := 0;
  v_marks constant boolean := sediment.has_marks(p_dataset);
begin
  -- in the index's order, so that it ends with the page
  with told as (
    select x.*, count(*) filter (where x.done) over w as done_so_far, lag(x.done) over w as after_done
    from (
      select f.*, f.state <> 'active' or (f.byte_length >= v_grown and f.rewrite is null and not (f.level = 0
        and f.row_group_count > 1 and f.uncompressed_bytes < v_healthy * f.row_group_count)) as done
      from public.battle_files f
      where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
        and f.removed_version is null and f.seq_min > p_after
        and not (v_marks and sediment.is_marked(f, 9223372036854775807)) and (p_only is null or f.id = any (p_only))
    ) x
    window w as (order by x.seq_min)
  ), page as (
    select t.* from told t
    where not t.done or t.done_so_far <= v_told or p_only is not null or (v_dedupe and t.after_done is not true)
    order by t.seq_min
    limit p_limit + 1
  ), kept as (
    select * from page order by seq_min limit p_limit
  )
  select jsonb_build_object(
    'files', coalesce((select jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'level', k.level, 'seq_min', k.seq_min, 'seq_max', k.seq_max, 'row_count', k.row_count,
      'row_group_count', k.row_group_count, 'uncompressed_bytes', k.uncompressed_bytes,
      'value_count', k.value_count, 'merge_facts', k.merge_facts, 'schema_fingerprint', k.schema_fingerprint,
      'state', case when k.lost_since > clock_timestamp() - (select make_interval(secs => s.second_look_seconds)
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 'etag', k.etag,
      'uploaded_at', k.uploaded_at, 'rewrite', k.rewrite,
      'apart', k.apart) order by k.seq_min) from kept k), '[]'),
    'digests', coalesce((select jsonb_agg(jsonb_build_array(d.fingerprint, d.digest) order by d.seq_min) from (
      select distinct on (k.schema_fingerprint) k.schema_fingerprint as fingerprint, k.seq_min,
        coalesce(k.schema_digest, k.schema_fingerprint) as digest
      from kept k where k.state = 'active' order by k.schema_fingerprint, k.seq_min) d), '[]'),
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
end $function$;

CREATE OR REPLACE FUNCTION sediment.replace_files(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_in record;
  v_out record;
  v_dedupe boolean;
  v_marks constant boolean := sediment.has_marks(p.dataset_id);
  v_version public.dataset_versions;
  v_removed bigint;
  v_now timestamptz := clock_timestamp();
  v_file bigint;
begin
  select count(distinct f.id) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.row_group_count), 0)::bigint as row_groups,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed, max(f.level) as level,
    min(f.seq_min) as seq_min, max(f.seq_max) as seq_max,
    max(coalesce(f.youngest_at, f.uploaded_at)) as youngest_at,
    -- where a value of each does not fit a wider type, one of the output does not either
    case when bool_and(f.apart ->> 'kind' = 'values') then (array_agg(f.apart order by f.id))[1] end as apart
  into strict v_in
  from unnest(p_inputs) as i(id)
  cross join lateral (select * from public.battle_files x where x.id = i.id offset 0) f
  where f.removed_version is null and f.state = 'active'
    and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag;
  if v_in.files <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs are visible and sound', v_in.files, cardinality(p_inputs)));
  end if;

  -- What was read is what is there: an input that was healed since holds other bytes.
  if p_input_keys is not null and exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    cross join lateral (select x.object_key from public.battle_files x where x.id = i.id offset 0) f
    where f.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text,
    row_count bigint, row_group_count integer, uncompressed_bytes bigint, value_count bigint,
    merge_facts jsonb, schema_fingerprint text, stats jsonb, checksum text);
  v_dedupe := jsonb_array_length(sediment.settings_of(p.dataset_id, p."table") -> 'dedupe_keys') > 0;
  if (case when v_dedupe then coalesce(v_out.row_count, 0) <= v_in.rows and (v_out.row_count > 0 or v_in.rows = 0)
      else coalesce(v_out.row_count, 0) = v_in.rows end) is not true
  then
    perform sediment.fail('merge_rows_differ', 500,
      format('the inputs hold %s rows, the output %s', v_in.rows, coalesce(v_out.row_count, 0)));
  end if;
  -- Last writer wins only holds when nothing that was written in between stays outside: all inputs are in between, so
  -- what is there is counted.
  if v_dedupe and v_in.files < (
    select count(*) from public.battle_files f
    where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.seq_min <= v_in.seq_max and f.seq_max >= v_in.seq_min
      -- what is about to be deleted is in nobody's way, as it is in no list of inputs
      and not (v_marks and sediment.is_marked(f, 9223372036854775807)))
  then
    perform sediment.fail('inputs_not_adjacent', 409,
      format('a file between upload %s and %s is not among the inputs', v_in.seq_min, v_in.seq_max));
  end if;

  v_version := (sediment.next_versions(array[row(p.dataset_id,
    case when p_output is null then 0 else 1 end - v_in.files, coalesce(v_out.size, 0) - v_in.bytes,
    coalesce(v_out.row_count, 0) - v_in.rows, coalesce(v_out.uncompressed_bytes, 0) - v_in.uncompressed,
    coalesce(v_out.etag, ''))::sediment.dataset_change]))[1];
  perform sediment.refuse_marked_inputs(p, p_run, p_inputs);

  update public.datasets d set retired_bytes = d.retired_bytes + v_in.bytes where d.id = p.dataset_id;
  update public.battle_files f set removed_version = v_version.version
  from unnest(p_inputs) as i(id)
  where f.id = any (array[i.id]) and f.removed_version is null;
  get diagnostics v_removed = row_count;
  if v_removed <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs were still visible', v_removed, cardinality(p_inputs)));
  end if;

  if p_output is not null then
    update public.objects o
    set state = 'stored', size = v_out.size, etag = v_out.etag, expires_at = null, updated_at = v_now
    where o.object_key = v_out.object_key and o.state = 'staged'
      and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token;
    if not found then
      -- the sweep was here: this worker slept through its lease and the time for its PUT, though nobody took over
      if exists (select 1 from public.objects o where o.object_key = v_out.object_key
        and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token)
      then
        perform sediment.fail('lease_lost', 409, format('%s was given up', v_out.object_key));
      end if;
      perform sediment.fail('object_missing', 500,
        format('%s is not the staged output %s of this run and token', v_out.object_key, p_n));
    end if;
    insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest, youngest_at, apart)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum, sediment.schema_digest(p_output -> 'schema'),
      v_in.youngest_at, v_in.apart
    from public.processing_metrics r where r.id = p_run
    returning id into strict v_file;
  end if;

  update public.processing_metrics r
  set attempts = 0, -- a committed output is progress: the next failure is a first one again
    files_before = r.files_before + v_in.files, files_after = r.files_after + (v_file is not null)::integer,
    row_groups_before = r.row_groups_before + v_in.row_groups,
    row_groups_after = r.row_groups_after + coalesce(v_out.row_group_count, 0),
    rows_before = r.rows_before + v_in.rows, rows_after = r.rows_after + coalesce(v_out.row_count, 0),
    bytes_before = r.bytes_before + v_in.bytes, bytes_after = r.bytes_after + coalesce(v_out.size, 0)
  where r.id = p_run;
  return jsonb_build_object('version', v_version.version, 'file_id', v_file);
end $function$;

ALTER TABLE "public"."battle_files" ADD CONSTRAINT "battle_files_apart_check" CHECK ((jsonb_typeof(apart) = 'object'::text));

REVOKE ALL ON FUNCTION "public"."set_apart"(uuid, bigint, jsonb, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."set_apart"(uuid, bigint, jsonb, integer) TO "service_role";
