-- Tables that the operator approves for the lake: every run of one is told of two more columns, and files say whether they have them. Nothing is approved yet.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE TABLE "public"."lake_tables" ("id" smallint GENERATED ALWAYS AS IDENTITY NOT NULL, "name" text COLLATE pg_catalog."C" NOT NULL, "dataset_column" text NOT NULL, "period_column" text NOT NULL, "approved_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), "withdrawn_at" timestamp with time zone, "settled_dataset_id" uuid, CONSTRAINT "lake_tables_check" CHECK ((dataset_column <> period_column)), CONSTRAINT "lake_tables_name_check" CHECK ((name ~ '^[A-Za-z0-9_-]{1,64}$'::text)), CONSTRAINT "lake_tables_name_key" UNIQUE (name), CONSTRAINT "lake_tables_pkey" PRIMARY KEY (id));

revoke all on "public"."lake_tables" from public, anon, authenticated, service_role;

revoke all on sequence "public"."lake_tables_id_seq" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_tables" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."battle_files" ADD COLUMN "lake_version" smallint;

CREATE OR REPLACE FUNCTION public.approve_lake_table(p_name text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '300s'
AS $function$
declare
  v_most constant integer := 200;
  v_most_ever constant integer := 1000;
  v_failure constant jsonb := sediment.name_failure('table', p_name);
  v_named text[];
  v_prefix text := '';
  x public.lake_tables;
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  lock table public.lake_tables in share row exclusive mode;
  select * into x from public.lake_tables t where t.name = p_name;
  if x.id is not null and x.withdrawn_at is null then
    return sediment.lake_table_json(x);
  end if;
  if (select count(*) from public.lake_tables t where t.withdrawn_at is null) >= v_most
    or x.id is null and (select count(*) from public.lake_tables) >= v_most_ever
  then
    perform sediment.fail('quota_exceeded', 429, 'the lake takes no further table',
      format('%s tables at once, and %s names ever', v_most, v_most_ever));
  end if;

  if x.id is not null then
    update public.lake_tables t
    set approved_at = clock_timestamp(), withdrawn_at = null, settled_dataset_id = '00000000-0000-0000-0000-000000000000'
    where t.id = x.id
    returning * into strict x;
    return sediment.lake_table_json(x);
  end if;
  -- few schemas have such a column; where none has, no file is looked at
  v_named := array(select k.digest from public.file_schemas k
    where exists (select 1 from jsonb_path_query(k.schema, '$.children[*].name') c
      where lower(c #>> '{}') in ('dataset_id', 'period_tag')));
  if cardinality(v_named) > 0 and exists (
    select 1 from public.battle_files f
    where f."table" = p_name and coalesce(f.schema_digest, f.schema_fingerprint) = any (v_named))
  then
    v_prefix := '_';
  end if;
  insert into public.lake_tables (name, dataset_column, period_column, settled_dataset_id)
  values (p_name, v_prefix || 'dataset_id', v_prefix || 'period_tag', '00000000-0000-0000-0000-000000000000')
  returning * into strict x;
  return sediment.lake_table_json(x);
end $function$;

revoke all on function "public"."approve_lake_table"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.withdraw_lake_table(p_name text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.lake_tables;
begin
  update public.lake_tables t
  set withdrawn_at = coalesce(t.withdrawn_at, clock_timestamp()), settled_dataset_id = null
  where t.name = p_name
  returning * into x;
  if not found then
    perform sediment.fail('not_found', 404, format('no table %s was ever in the lake', left(p_name, 80)));
  end if;
  return sediment.lake_table_json(x);
end $function$;

revoke all on function "public"."withdraw_lake_table"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lake_table_json(p public.lake_tables)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return jsonb_build_object('id', p.id, 'name', p.name, 'dataset_column', p.dataset_column,
    'period_column', p.period_column, 'approved_at', p.approved_at, 'withdrawn_at', p.withdrawn_at);
end $function$;

revoke all on function "sediment"."lake_table_json"(public.lake_tables) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.list_controls(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object(
    'id', c.id, 'object_key', c.object_key, 'start_byte', c.start_byte, 'byte_length', c.byte_length,
    'level', c.level, 'seq_min', c.seq_min, 'seq_max', c.seq_max, 'row_count', c.row_count,
    'row_group_count', c.row_group_count, 'uncompressed_bytes', c.uncompressed_bytes, 'value_count', c.value_count,
    'merge_facts', c.merge_facts, 'schema_fingerprint', sediment.fingerprint_of(c.schema_fingerprint, c.schema_digest), 'state', c.state,
    'checksum', c.checksum, 'etag', sediment.etag_of(c.etag, c.object_key), 'uploaded_at', c.uploaded_at, 'rewrite', null,
    'lake_version', c.lake_version)), '[]')
    from (
      select x.* from (
        select f.* from public.battle_files f
        where f.removed_version is null and f.state = 'active' and f.lost_since is null
        order by f.id desc limit 50) x
      where (x.dataset_id, x."table", x.period_tag) is distinct from (p.dataset_id, p."table", p.period_tag)
        -- it is to be light for any worker
        and x.uncompressed_bytes <= 16777216
      order by (x.level > 0) desc, random() limit 3) c);
end $function$;

CREATE OR REPLACE FUNCTION sediment.list_inputs(p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer, p_only bigint[], p_settings jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_told constant integer := 100;
  v_grown constant bigint := ceil(0.75 * (p_settings ->> 'target_file_bytes')::bigint);
  v_healthy constant bigint := (p_settings ->> 'healthy_row_group_bytes')::bigint;
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
        and f.row_group_count > 1 and f.uncompressed_bytes < v_healthy * f.row_group_count)) as done
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
    select p.*, sediment.fingerprint_of(p.schema_fingerprint, p.schema_digest) as fingerprint
    from page p order by p.seq_min limit p_limit
  )
  select jsonb_build_object(
    'files', coalesce((select jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'level', k.level, 'seq_min', k.seq_min, 'seq_max', k.seq_max, 'row_count', k.row_count,
      'row_group_count', k.row_group_count, 'uncompressed_bytes', k.uncompressed_bytes,
      'value_count', k.value_count, 'merge_facts', k.merge_facts, 'schema_fingerprint', k.fingerprint,
      'state', case when k.is_between or k.lost_since > clock_timestamp() - (select make_interval(secs => s.second_look_seconds)
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 'etag', sediment.etag_of(k.etag, k.object_key),
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
end $function$;

CREATE OR REPLACE FUNCTION sediment.list_remake(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  v_ids bigint[];
begin
  for f in
    select * from public.battle_files x
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
      and x.removed_version is null and x.remake_at <= clock_timestamp()
    order by x.remake_at limit 10
  loop
    v_ids := sediment.retired_inputs(f);
    if v_ids is null then
      update public.battle_files x set remake_at = null where x.id = f.id;
      continue;
    end if;
    return jsonb_build_object('file', f.id, 'row_count', f.row_count, 'schema_fingerprint',
        sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
      'schema', (select s.schema from public.file_schemas s
        where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
      'inputs', (select jsonb_agg(jsonb_build_object(
        'id', i.id, 'object_key', i.object_key, 'start_byte', i.start_byte, 'byte_length', i.byte_length,
        'level', i.level, 'seq_min', i.seq_min, 'seq_max', i.seq_max, 'row_count', i.row_count,
        'row_group_count', i.row_group_count, 'uncompressed_bytes', i.uncompressed_bytes,
        'value_count', i.value_count, 'merge_facts', i.merge_facts, 'schema_fingerprint',
        sediment.fingerprint_of(i.schema_fingerprint, i.schema_digest),
        'state', i.state, 'checksum', i.checksum, 'etag', sediment.etag_of(i.etag, i.object_key), 'uploaded_at', i.uploaded_at, 'rewrite', null,
        'lake_version', i.lake_version,
        'provenance', case when i.provenance_length is not null then jsonb_build_object('start', i.provenance_start,
          'length', i.provenance_length) end,
        -- uploads whose rows the output was written without, since they were deleted
        'drop', (select jsonb_agg(s.seq order by s.seq) from public.deleted_slices s
          where s.dataset_id = p.dataset_id and s."table" = p."table" and s.period_tag = p.period_tag
            and sediment.seqs_of(i) @> s.seq and not sediment.seqs_of(f) @> s.seq))
        order by i.seq_min) from public.battle_files i where i.id = any (v_ids)));
  end loop;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION sediment.remake_file(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_file bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  v_out record;
begin
  select * into f from public.battle_files x
  where x.id = p_file and x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
    and x.removed_version is null and x.state = 'quarantined'
    and x.quarantine_code in ('object_missing', 'object_changed');
  if not found then
    perform sediment.fail('inputs_changed', 409, format('output %s is not missed any more', p_file));
  end if;
  if (select array_agg(i.id order by i.id) from unnest(p_inputs) as i(id)) is distinct from
    (select array_agg(i.id order by i.id) from unnest(sediment.retired_inputs(f)) as i(id))
  then
    perform sediment.fail('inputs_changed', 409, format('these are not the files that output %s replaced', p_file));
  end if;
  if p_input_keys is null or exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    join public.battle_files x on x.id = i.id where x.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text, row_count bigint,
    row_group_count integer, uncompressed_bytes bigint, value_count bigint, merge_facts jsonb, schema_fingerprint text,
    stats jsonb, checksum text, provenance_start bigint, provenance_length integer,
    lake_version smallint);
  if (v_out.row_count, v_out.schema_fingerprint) is distinct from (f.row_count, sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest)) then
    perform sediment.fail('merge_rows_differ', 500, format('output %s held %s rows of schema %s, the remade one %s of %s',
      p_file, f.row_count, sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest), v_out.row_count, v_out.schema_fingerprint));
  end if;

  perform 1 from public.datasets d where d.id = p.dataset_id for no key update;
  perform sediment.refuse_marked_inputs(p, p_run, array[p_file]);
  perform sediment.store_output(p_run, p_n, p_token, p_output);
  update public.battle_files x
  set object_key = v_out.object_key, byte_length = v_out.size, etag = v_out.etag,
    row_group_count = v_out.row_group_count, uncompressed_bytes = v_out.uncompressed_bytes,
    value_count = v_out.value_count, merge_facts = v_out.merge_facts, stats = v_out.stats, checksum = v_out.checksum,
    provenance_start = v_out.provenance_start, provenance_length = v_out.provenance_length,
    lake_version = v_out.lake_version,
    schema_digest = sediment.schema_digest(p_output -> 'schema'), lost_since = null, state = 'active',
    quarantine_code = null, quarantine_reason = null, quarantined_at = null, remake_at = null, remake_tries = 0
  where x.id = f.id;
  update public.datasets d
  set file_size_bytes = d.file_size_bytes + v_out.size - f.byte_length,
    uncompressed_bytes = d.uncompressed_bytes + v_out.uncompressed_bytes - f.uncompressed_bytes
  where d.id = p.dataset_id;
  -- whoever holds a URL of an object whose bytes changed may still read it
  perform sediment.retire_object(f.object_key, 'its output was remade', sediment.signed_url_life());
  update public.processing_metrics r set attempts = 0 where r.id = p_run;
  return jsonb_build_object('version', null, 'file_id', f.id);
end $function$;

CREATE OR REPLACE FUNCTION sediment.replace_files(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[], p_dropped jsonb DEFAULT NULL::jsonb)
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
  v_pending int8multirange;
  v_dropped bigint := 0;
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
    case when bool_and(f.apart ->> 'kind' = 'values') then (array_agg(f.apart order by f.id))[1] end as apart,
    range_agg(sediment.seqs_of(f)) as seqs
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
    merge_facts jsonb, schema_fingerprint text, stats jsonb, checksum text, provenance_start bigint,
    provenance_length integer, lake_version smallint);
  v_pending := sediment.pending_seqs(p.dataset_id, p."table", p.period_tag);
  if v_pending is not null or p_dropped is not null then
    v_dropped := sediment.check_dropped(p, v_in.seqs, p_dropped);
  end if;
  v_dedupe := jsonb_array_length(sediment.settings_of(p.dataset_id, p."table") -> 'dedupe_keys') > 0;
  if (case when v_dedupe then coalesce(v_out.row_count, 0) <= v_in.rows - v_dropped
        and (v_out.row_count > 0 or v_in.rows = v_dropped)
      else coalesce(v_out.row_count, 0) = v_in.rows - v_dropped end) is not true
  then
    perform sediment.fail('merge_rows_differ', 500,
      format('the inputs hold %s rows, the output %s, and %s were left out', v_in.rows, coalesce(v_out.row_count, 0),
        v_dropped));
  end if;
  -- Last writer wins only holds when nothing that was written in between stays outside: all inputs are in between, so
  -- what is there is counted. One that is written anew by itself is where it was.
  if v_dedupe and v_in.files > 1 and v_in.files < (
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
    perform sediment.store_output(p_run, p_n, p_token, p_output);
    insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest, youngest_at, apart, input_count, provenance_start, provenance_length, seqs, lake_version)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum, sediment.schema_digest(p_output -> 'schema'),
      v_in.youngest_at, v_in.apart, v_in.files, v_out.provenance_start, v_out.provenance_length,
      -- each of them apart costs 17 bytes; of very many it is said roughly, and more files are looked into
      case when (select count(*) from unnest(v_in.seqs)) > 1000 then int8multirange(range_merge(v_in.seqs))
        else v_in.seqs end - coalesce(v_pending, '{}'), v_out.lake_version
    from public.processing_metrics r where r.id = p_run
    returning id into strict v_file;
  end if;

  if v_pending is not null then
    update public.deletions x
    set rows = x.rows + s.rows, files = x.files + 1
    from (
      select y.deletion_id, sum(t.value::bigint) as rows from jsonb_each_text(coalesce(nullif(p_dropped, 'null'), '{}')) t
      join public.deleted_slices y on y.dataset_id = p.dataset_id and y."table" = p."table"
        and y.period_tag = p.period_tag and y.seq = t.key::bigint
      group by y.deletion_id
    ) s
    where x.id = s.deletion_id;
    perform sediment.settle_slices(p.dataset_id, p."table", p.period_tag, v_version.version);
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

CREATE OR REPLACE FUNCTION sediment.settings_of(p_dataset uuid, p_table text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (select jsonb_build_object(
    'target_file_bytes', coalesce(t.target_file_bytes, d.target_file_bytes, s.target_file_bytes),
    'target_row_group_bytes',
      coalesce(t.target_row_group_bytes, d.target_row_group_bytes, s.target_row_group_bytes),
    'healthy_row_group_bytes',
      coalesce(t.healthy_row_group_bytes, d.healthy_row_group_bytes, s.healthy_row_group_bytes),
    'target_page_bytes', coalesce(t.target_page_bytes, d.target_page_bytes, s.target_page_bytes),
    'min_inputs', coalesce(t.min_inputs, d.min_inputs, s.min_inputs),
    'max_age_seconds', coalesce(t.max_age_seconds, d.max_age_seconds, s.max_age_seconds),
    'codec', coalesce(t.codec, d.codec, s.codec),
    'sort_keys', to_jsonb(coalesce(t.sort_keys, d.sort_keys, '{}')),
    'dedupe_keys', to_jsonb(coalesce(t.dedupe_keys, d.dedupe_keys, '{}')),
    'unite_uuid_as_text', coalesce(t.unite_uuid_as_text, d.unite_uuid_as_text, false),
    'retention_seconds', coalesce(t.retention_seconds, d.retention_seconds, s.retention_seconds),
    'lease_seconds', s.lease_seconds,
    'max_run_seconds', s.max_run_seconds,
    'max_attempts', s.max_attempts)
    -- of a table that isn't in the lake there is nothing to say, and its plans' digests stay what they were
    || case when l.id is null then '{}' else jsonb_build_object('lake', jsonb_build_object(
      'dataset_column', l.dataset_column, 'period_column', l.period_column)) end
  from public.service_settings s
  left join public.table_settings t on t.dataset_id = p_dataset and t."table" = p_table
  left join public.table_settings d on d.dataset_id = p_dataset and d."table" = '*'
  left join public.lake_tables l on l.name = p_table and l.withdrawn_at is null
  where s.id);
end $function$;

CREATE TRIGGER note_plan_change AFTER INSERT OR UPDATE OF withdrawn_at ON public.lake_tables FOR EACH STATEMENT EXECUTE FUNCTION sediment.note_plan_change();

CREATE POLICY "service_all" ON "public"."lake_tables" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

REVOKE ALL ON FUNCTION "public"."approve_lake_table"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."approve_lake_table"(text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."withdraw_lake_table"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."withdraw_lake_table"(text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lake_table_json"(public.lake_tables) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lake_table_json"(public.lake_tables) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_tables" TO "service_role";
