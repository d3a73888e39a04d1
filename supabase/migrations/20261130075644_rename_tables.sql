-- Renamed tables, whose old names stay aliases; own datasets of second accounts.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text, boolean);

CREATE TABLE "public"."table_names" ("dataset_id" uuid NOT NULL, "name" text NOT NULL, "table" text NOT NULL, "is_current" boolean NOT NULL, "named_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "table_names_pkey" PRIMARY KEY (dataset_id, name));

revoke all on "public"."table_names" from public, anon, authenticated, service_role;

ALTER TABLE "public"."table_names" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."datasets" ADD COLUMN "has_aliases" boolean NOT NULL DEFAULT false;

CREATE OR REPLACE FUNCTION public.delete_data(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_purge boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  x public.deletions;
  v_failure jsonb := coalesce(
    case when p_table is not null then sediment.name_failure('table', p_table) end,
    case when p_period_tag is not null then sediment.name_failure('period_tag', p_period_tag) end);
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  -- the dataset's row alone: whoever waits for it holds partitions, and this call wants none
  select * into d from public.datasets y where y.id = p_dataset for no key update;
  if not found then
    perform sediment.fail('not_found', 404, format('there is no dataset %s', p_dataset));
  end if;
  perform sediment.require_role(p_user, d.id, 'owner');
  if d.deleted_at is not null then
    select * into x from public.deletions y
    where y.dataset_id = d.id and y.kind = 'dataset' order by y.purge desc, y.version limit 1;
    if x.purge or not coalesce(p_purge, false) then
      return sediment.deletion_receipt(x);
    end if;
    return sediment.deletion_receipt(sediment.mark_deletion(d, p_user, null, null, true, null));
  end if;
  p_table := sediment.table_of(d.id, p_table);
  if (p_table is not null or p_period_tag is not null) and not exists (
    select 1 from public.partitions p where p.dataset_id = d.id and (p_table is null or p."table" = p_table)
      and (p_period_tag is null or p.period_tag = p_period_tag))
  then
    perform sediment.fail('not_found', 404, format('dataset %s has no data of %s', d.id,
      concat_ws('/', coalesce(p_table, '*'), p_period_tag)));
  end if;
  return sediment.deletion_receipt(
    sediment.mark_deletion(d, p_user, p_table, p_period_tag, coalesce(p_purge, false), null));
end $function$;

CREATE OR REPLACE FUNCTION public.get_file(p_user uuid, p_file bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  d public.datasets;
begin
  select * into f from public.battle_files x where x.id = p_file;
  -- That one is another's must not be told from that there is none.
  if not found or (p_user is not null and sediment.dataset_role(p_user, f.dataset_id) is null)
  then
    perform sediment.fail('not_found', 404, format('there is no data file %s', p_file));
  end if;
  d := sediment.require_dataset(p_user, f.dataset_id);
  if f.removed_version <= d.oldest_kept_version
    or d.deletion_version > f.added_version and sediment.is_marked(f, d.oldest_kept_version)
  then
    perform sediment.fail('version_gone', 410, format('data file %s left at version %s', f.id,
      coalesce(f.removed_version, d.deletion_version)),
      format('version %s or later', d.oldest_kept_version));
  end if;
  return jsonb_build_object('id', f.id, 'dataset_id', f.dataset_id, 'user_id', d.user_id,
    'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length, 'size', f.byte_length,
    'object_size', (select o.size from public.objects o where o.object_key = f.object_key),
    'table', sediment.name_of(f.dataset_id, f."table"), 'period_tag', f.period_tag, 'level', f.level, 'state', f.state,
    'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
    'row_count', f.row_count, 'row_group_count', f.row_group_count,
    'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', f.schema_fingerprint,
    'schema', (select s.schema from public.file_schemas s where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
    'stats', f.stats, 'etag', f.etag, 'uploaded_at', f.uploaded_at, 'added_version', f.added_version,
    'removed_version', f.removed_version);
end $function$;

CREATE OR REPLACE FUNCTION public.list_files(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_from text DEFAULT NULL::text, p_to text DEFAULT NULL::text, p_version bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_version bigint;
  v_marks constant boolean := sediment.has_marks(p_dataset);
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  f public.battle_files;
  v_files jsonb[] := '{}'::jsonb[];
  v_bytes bigint := 0;
  v_more boolean := false;
  v_table text := p_table;
  v_names jsonb;
  v_last text;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.require_dataset(p_user, p_dataset);
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
      + case when pg_column_size(f.stats) > 300 then octet_length(f.stats::text) else 300 end;
    v_more := cardinality(v_files) = v_limit or (v_bytes > 2097152 and cardinality(v_files) > 0);
    exit when v_more;
    v_last := f."table";
    v_files := v_files || jsonb_build_object(
      'id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length,
      'table', coalesce(v_names ->> f."table", f."table"), 'period_tag', f.period_tag, 'size', f.byte_length, 'level', f.level, 'state', f.state,
      'lost', f.lost_since is not null,
      'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
      'row_count', f.row_count, 'row_group_count', f.row_group_count,
      'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', f.schema_fingerprint,
      'stats', f.stats, 'etag', f.etag, 'seq_min', f.seq_min, 'seq_max', f.seq_max,
      'uploaded_at', f.uploaded_at, 'added_version', f.added_version);
  end loop;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s), 'files', to_jsonb(v_files),
    'totals', sediment.version_totals(d, v_version), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_last,
      'p', v_files[cardinality(v_files)] -> 'period_tag', 's', v_files[cardinality(v_files)] -> 'seq_min')) end);
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
  v_marks constant boolean := sediment.has_marks(p_dataset);
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
  v_names := sediment.names_of(d);
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile.
  with page as (
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, f.schema_fingerprint,
        coalesce(f.schema_digest, f.schema_fingerprint) as digest
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version is null and f.added_version <= v_version
        and not (v_marks and sediment.is_marked(f, v_version))
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    union all
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, f.schema_fingerprint,
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
end $function$;

CREATE OR REPLACE FUNCTION public.redrive_dead_letters(p_user uuid, p_ids bigint[] DEFAULT NULL::bigint[], p_filter jsonb DEFAULT NULL::jsonb, p_limit integer DEFAULT 100)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  -- ids are meant as they stand: the limit is for filters
  v_limit integer := least(greatest(coalesce(p_limit, 100), cardinality(p_ids), 1), 1000);
  v_filter jsonb := coalesce(p_filter, '{}');
  v_datasets constant uuid[] := sediment.datasets_of(p_user, 'writer');
  v_ids bigint[];
  v_key record;
  v_run uuid;
  v_redriven jsonb := '[]'::jsonb;
  v_done jsonb;
  v_skipped jsonb;
begin
  if cardinality(p_ids) > 1000 or jsonb_typeof(v_filter) <> 'object'
    or v_filter - array['dataset_id', 'table', 'error_code', 'before'] <> '{}'
  then
    perform sediment.fail('invalid_request', 400, 'over 1000 ids, or a filter with other fields',
      'dataset_id, table, error_code, before');
  end if;

  select coalesce(array_agg(x.id), '{}') into strict v_ids
  from (
    select l.id from public.dead_letters l
    where l.resolved_at is null and l.dataset_id is not null and l."table" is not null
      and (p_user is null or l.dataset_id = any (v_datasets))
      and (p_ids is null or l.id = any (p_ids))
      and (v_filter ->> 'dataset_id' is null or l.dataset_id = (v_filter ->> 'dataset_id')::uuid)
      and (v_filter ->> 'table' is null or l."table" = sediment.table_of(l.dataset_id, v_filter ->> 'table'))
      and (v_filter ->> 'error_code' is null or l.error_code = v_filter ->> 'error_code')
      and (v_filter ->> 'before' is null or l.last_failed_at < (v_filter ->> 'before')::timestamptz)
    order by l.id limit v_limit
  ) x;

  -- all partitions first, sorted; the queue after them
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select l.dataset_id, l."table", l.period_tag from public.dead_letters l where l.id = any (v_ids))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;

  for v_key in
    select distinct l.dataset_id, l."table", l.period_tag from public.dead_letters l
    where l.id = any (v_ids) and l.resolved_at is null order by 1, 2, 3
  loop
    update public.partitions p
    set demand_seq = p.demand_seq + 1, forced_seq = p.demand_seq + 1
    where p.dataset_id = v_key.dataset_id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    v_run := sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'manual', 'redrive', 0);
    with done as (
      update public.dead_letters l
      set resolved_at = clock_timestamp(), resolution = 'redriven', redriven_run_id = v_run
      where l.id = any (v_ids) and l.resolved_at is null and l.dataset_id = v_key.dataset_id
        and l."table" = v_key."table" and l.period_tag = v_key.period_tag
      returning l.id
    )
    select coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'run_id', v_run, 'dataset_id', v_key.dataset_id,
      'table', v_key."table", 'period_tag', v_key.period_tag) order by d.id), '[]') into strict v_done from done d;
    v_redriven := v_redriven || v_done;
  end loop;

  select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'reason', case
      when l.id is null or (p_user is not null and (l.dataset_id = any (v_datasets)) is not true) then 'not_found'
      when l.resolved_at is not null then 'resolved' else 'no_partition' end) order by i.id), '[]')
  into strict v_skipped
  from unnest(p_ids) as i(id)
  left join public.dead_letters l on l.id = i.id
  where not exists (select 1 from jsonb_array_elements(v_redriven) r where (r ->> 'id')::bigint = i.id);
  perform sediment.spend_request(p_user);
  return jsonb_build_object('redriven', v_redriven, 'skipped', v_skipped, 'more', cardinality(v_ids) = v_limit);
end $function$;

CREATE OR REPLACE FUNCTION public.rename_table(p_user uuid, p_dataset uuid, p_table text, p_name text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_table text;
  v_failure jsonb := coalesce(sediment.name_failure('table', p_table), sediment.name_failure('name', p_name));
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  -- commits that bring a table of that name are before it, or see it (sediment.refuse_renamed_stages)
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  v_table := sediment.table_of(d.id, p_table);
  if not exists (select 1 from public.partitions p where p.dataset_id = d.id and p."table" = v_table) then
    perform sediment.fail('not_found', 404, format('dataset %s has no table %s', d.id, p_table));
  end if;
  if sediment.table_of(d.id, p_name) <> v_table and (
    exists (select 1 from public.table_names n where n.dataset_id = d.id and n.name = p_name)
    or exists (select 1 from public.partitions p where p.dataset_id = d.id and p."table" = p_name))
  then
    perform sediment.fail('invalid_name', 400, format('%s is or was the name of another table', p_name),
      'a name that no other table of the dataset ever had');
  end if;
  update public.table_names n set is_current = false where n.dataset_id = d.id and n."table" = v_table;
  insert into public.table_names as n (dataset_id, name, "table", is_current)
  values (d.id, v_table, v_table, false), (d.id, p_name, v_table, true)
  on conflict (dataset_id, name) do nothing;
  update public.table_names n set is_current = true where n.dataset_id = d.id and n.name = p_name;
  update public.datasets y set has_aliases = true where y.id = d.id and not y.has_aliases;
  return jsonb_build_object('dataset_id', d.id, 'table', p_name, 'aliases', (
    select coalesce(jsonb_agg(n.name order by n.named_at, n.name), '[]') from public.table_names n
    where n.dataset_id = d.id and n."table" = v_table and not n.is_current));
end $function$;

revoke all on function "public"."rename_table"(uuid, uuid, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.request_compaction(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_priority text DEFAULT 'manual'::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  d public.datasets;
  r public.processing_metrics;
  v_run uuid;
  v_delay integer := 0;
  v_requested jsonb;
begin
  if sediment.priority_rank(p_priority) is null then
    perform sediment.fail('invalid_request', 400, format('the priority is %s', quote_nullable(left(p_priority, 40))),
      'manual, realtime or scheduled');
  end if;
  if p_table is null and p_period_tag is not null then
    perform sediment.fail('invalid_request', 400, 'a period_tag needs its table');
  end if;
  d := sediment.require_dataset(p_user, p_dataset, 'writer');
  p_table := sediment.table_of(d.id, p_table);

  if p_period_tag is not null then
    perform 1 from public.partitions x
    where x.dataset_id = d.id and x."table" = p_table and x.period_tag = p_period_tag for no key update;
    if not found then
      perform sediment.fail('not_found', 404,
        format('dataset %s has no partition %s/%s', d.id, p_table, p_period_tag));
    end if;
    if p_priority = 'realtime' then
      select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
    end if;
    update public.partitions x
    set demand_seq = x.demand_seq + 1,
      forced_seq = case when p_priority = 'manual' then x.demand_seq + 1 else x.forced_seq end
    where x.dataset_id = d.id and x."table" = p_table and x.period_tag = p_period_tag;
    v_run := sediment.wake_partition(d.id, p_table, p_period_tag, p_priority, 'request', v_delay);
    perform sediment.spend_request(p_user);
    return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id, 'partitions', 1, 'cursor', null,
      'requested', jsonb_build_array(
        jsonb_build_object('table', p_table, 'period_tag', p_period_tag, 'metricId', v_run)));
  end if;

  insert into public.processing_metrics
    (user_id, dataset_id, operation, trigger, priority, fan_out_forced, fan_out_cursor)
  values (d.user_id, d.id, 'fan_out', 'request', p_priority, p_priority = 'manual',
    jsonb_build_object('after_table', '', 'after_period_tag', '', 'table', p_table))
  returning id into strict v_run;
  v_requested := sediment.fan_out(v_run, 100);
  select * into strict r from public.processing_metrics x where x.id = v_run;
  if r.fan_out_cursor is not null then
    perform sediment.queue_send(p_priority, v_run, d.id, null, null, 0);
  elsif v_requested = '[]' then
    update public.processing_metrics x
    set status = 'success', completed_at = clock_timestamp(), decision = 'nothing is in debt'
    where x.id = v_run;
  end if;
  perform sediment.spend_request(p_user);
  return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id,
    'partitions', jsonb_array_length(v_requested), 'requested', v_requested,
    'cursor', r.fan_out_cursor ->> 'after_table');
end $function$;

CREATE OR REPLACE FUNCTION public.run_status(p_user uuid, p_run uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  r public.processing_metrics;
  v_children record;
  v_status text;
  v_step text;
begin
  select * into r from public.processing_metrics x where x.id = p_run;
  if not found or (p_user is not null and sediment.dataset_role(p_user, r.dataset_id) is null) then
    perform sediment.fail('run_not_found', 404, format('there is no run %s', p_run));
  end if;

  v_status := case r.status when 'queued' then 'queued' when 'running' then 'running'
    when 'success' then 'success' else 'error' end;
  v_step := r.step;
  if r.operation = 'fan_out' then
    select count(*) as total, count(c.completed_at) as done,
      count(*) filter (where c.status in ('failure', 'dlq_failure', 'timeout')) as failed
    into strict v_children
    from public.run_children k join public.processing_metrics c on c.id = k.child_id where k.parent_id = r.id;
    v_status := case
      when r.completed_at is not null and v_children.total = 0 then v_status -- the history of its runs is gone
      when r.fan_out_cursor is not null and v_children.total = 0 then 'queued'
      when r.fan_out_cursor is not null or v_children.done < v_children.total then 'running'
      when v_children.failed > 0 then 'error'
      else 'success' end;
  end if;

  return jsonb_build_object('instanceId', r.id, 'dataset_id', r.dataset_id, 'table', sediment.name_of(r.dataset_id, r."table"),
    'period_tag', r.period_tag, 'operation', r.operation, 'trigger', r.trigger, 'priority', r.priority,
    'status', v_status, 'state', r.status, 'step', v_step, 'progress', r.progress,
    -- the plan of the attempt at work, before its first commit too
    'decision', coalesce(case when r.status = 'running' then r.steps #>> '{merge,decision}' end, r.decision),
    'attempts', r.attempts, 'commits', r.commits,
    'output', case when r.operation = 'compaction' and (r.completed_at is not null or r.commits > 0) then
      coalesce(r.output, '{}') || jsonb_build_object('files_before', r.files_before, 'files_after', r.files_after,
        'row_groups_before', r.row_groups_before, 'row_groups_after', r.row_groups_after,
        'rows_before', r.rows_before, 'rows_after', r.rows_after, 'bytes_before', r.bytes_before,
        'bytes_after', r.bytes_after, 'files_quarantined', r.files_quarantined) end,
    'error', case when r.error_code is not null and r.status <> 'success' then
      jsonb_build_object('code', r.error_code, 'message', r.error_message, 'step', r.error_step) end,
    'children', case when r.operation = 'fan_out' then to_jsonb(v_children) end,
    'queued_at', r.queued_at, 'started_at', r.started_at, 'completed_at', r.completed_at,
    'next_attempt_at', (select p.ready_at from public.partitions p
      where r.status = 'queued' and p.dataset_id = r.dataset_id and p."table" = r."table"
        and p.period_tag = r.period_tag and p.run_id = r.id));
end $function$;

CREATE OR REPLACE FUNCTION public.stage_upload(p_user uuid, p_dataset uuid, p_table text, p_period_tag text, p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text DEFAULT 'fragment'::text, p_ttl_seconds integer DEFAULT 120, p_max_put_seconds integer DEFAULT 7200, p_details jsonb DEFAULT NULL::jsonb, p_idempotency_key text DEFAULT NULL::text, p_again boolean DEFAULT false, p_offsets jsonb DEFAULT NULL::jsonb, p_own_dataset boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return sediment.answer_of(sediment.stage_uploads(jsonb_build_array(jsonb_build_object(
    'p_user', p_user, 'p_dataset', p_dataset, 'p_table', p_table, 'p_period_tag', p_period_tag, 'p_size', p_size,
    'p_content_hash', p_content_hash, 'p_offsets_digest', p_offsets_digest, 'p_kind', p_kind,
    'p_ttl_seconds', p_ttl_seconds, 'p_max_put_seconds', p_max_put_seconds, 'p_details', p_details,
    'p_idempotency_key', p_idempotency_key, 'p_again', p_again, 'p_offsets', p_offsets,
    'p_own_dataset', p_own_dataset))));
end $function$;

revoke all on function "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text, boolean, jsonb, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.commit_uploads(p_calls jsonb)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_indexonlyscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_calls sediment.commit_call[] := sediment.respell_commits(sediment.lock_commit_calls(p_calls));
  v_call sediment.commit_call;
  v_read record;
  v_files sediment.commit_file[];
  v_entered uuid[];
  v_limited boolean;
  v_new record;
  v_refused boolean := false;
  v_going sediment.commit_call[];
  v_answers jsonb := '{}'::jsonb;
begin
  v_read := sediment.read_commit_files(v_calls);
  v_files := v_read.files;
  if v_read.wrong is not null then
    -- the ledger held it when it was staged, so that no files came along, and then it was deleted
    perform sediment.refuse_deleted_stages(v_calls);
    for v_call in select c.* from unnest(v_calls) as c where v_read.wrong ? c.n::text loop
      v_calls[v_call.n].outcome := case when v_call.files = '[]' and exists (
          select 1 from public.objects o join public.datasets d on d.id = o.dataset_id
          where o.object_key = v_call.object_key and d.deletion_version > coalesce(o.staged_version, 0))
        then sediment.failure('stage_expired', 410, format('what stage %s was a duplicate of was deleted', v_call.stage))
        else sediment.failure('invalid_request', 400, v_read.wrong ->> v_call.n::text) end;
    end loop;
  end if;

  -- Whoever inserts the identity first acknowledges it; a racer waits here and then reads what was answered.
  with entered as (
    insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id,
      object_key, size)
    select c.stage, c.dataset_id, c."table", c.period_tag, c.content_hash, c.offsets_digest, c.user_id,
      c.object_key, c.size
    from unnest(v_calls) as c
    where c.outcome is null and not c.known
    order by c.dataset_id, c."table", c.period_tag, c.content_hash
    on conflict (dataset_id, "table", period_tag, content_hash) do nothing
    returning id
  )
  select coalesce(array_agg(e.id), '{}') into strict v_entered from entered e;
  select coalesce(bool_or(sediment.is_near_quota(x.owner_id, x.bytes, x.max)), false) into strict v_limited
  from (
    select c.owner_id, sum(c.object_size)::bigint as bytes,
      coalesce(min(l.stored_bytes_max), min(s.stored_bytes_max)) as max
    from unnest(v_calls) as c
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[c.owner_id])
    where c.outcome is null and not c.known
    group by c.owner_id
  ) x
  where x.max is not null;
  if v_limited then
    -- which of the owners it is, check_stored finds out
    select array_agg((c.n, c.stage, c.user_id, c.size, c.object_size, c.etag, c.files, c.dataset_id, c."table",
      c.period_tag, c.content_hash, c.offsets_digest, c.object_key, c.known, true, c.outcome, c.owner_id)::sediment.commit_call
      order by c.n)
    into strict v_calls from unnest(v_calls) as c;
  end if;

  if cardinality(v_entered) = cardinality(v_calls) and not v_limited then
    -- as mostly: nothing is known, refused or limited
    v_going := v_calls;
  else
    -- By owner, then as they came: two groups that wait for owners' quotas must not wait for each other.
    for v_call in
      select c.* from unnest(v_calls) as c
      where c.outcome is null and (c.limited or c.stage <> all (v_entered)) order by c.owner_id, c.n
    loop
      v_calls[v_call.n].outcome := case when v_call.stage = any (v_entered)
        then sediment.quota_outcome(v_call, v_calls) else sediment.first_outcome(v_call) end;
    end loop;
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  -- What is new with them: datasets, made here, and partitions. By owner, then as they came, as above.
  for v_new in
    with x as materialized (
      select distinct f.n, f.user_id, f.dataset_id, f."table", f.period_tag from unnest(v_files) as f
    )
    select x.n, count(*) filter (where p.dataset_id is null)::integer as partitions,
      array_agg(distinct x."table") filter (where p.dataset_id is null) as tables
    from x
    left join public.datasets d on d.id = any (array[x.dataset_id])
    left join public.partitions p on p.dataset_id = any (array[x.dataset_id]) and p."table" = x."table"
      and p.period_tag = x.period_tag
    where d.id is null or d.user_id <> x.user_id or p.dataset_id is null
    group by coalesce(d.user_id, x.user_id), x.n
    order by coalesce(d.user_id, x.user_id), x.n
  loop
    v_calls[v_new.n].outcome := sediment.admit_commit(v_calls[v_new.n], v_new.partitions, v_new.tables);
    v_refused := v_refused or v_calls[v_new.n].outcome is not null;
  end loop;
  if v_refused then
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_files);
  end if;

  for v_call in select c.* from unnest(v_calls) as c where c.outcome ? 'heal' order by c.n loop
    v_calls[v_call.n].outcome := (
      select sediment.heal_upload(v_call, u) from public.uploads u
      where u.dataset_id = v_call.dataset_id and u."table" = v_call."table" and u.period_tag = v_call.period_tag
        and u.content_hash = v_call.content_hash);
  end loop;

  return (
    select array_agg(coalesce(c.outcome, jsonb_build_object('answer', v_answers -> c.n::text)) order by c.n)
    from unnest(v_calls) as c);
end $function$;

CREATE OR REPLACE FUNCTION sediment.deletion_receipt(x public.deletions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_sum record;
  v_left bigint := 0;
begin
  select coalesce(sum(y.files), 0) as files, coalesce(sum(y.rows), 0) as rows, coalesce(sum(y.bytes), 0) as bytes,
    coalesce(sum(y.assets), 0) as assets, array_agg('deletion ' || y.id) as reasons
  into strict v_sum
  from public.deletions y where y.id = x.id or y.parent_id = x.id;
  if x.purge then
    select count(*) into strict v_left from public.objects o
    where o.delete_after is not null and o.state = 'deleting' and o.delete_reason = any (v_sum.reasons);
  end if;
  return jsonb_build_object('deletion_id', x.id, 'kind', x.kind, 'user_id', x.user_id, 'dataset_id', x.dataset_id,
    'table', sediment.name_of(x.dataset_id, x."table"), 'period_tag', x.period_tag, 'upload_id', x.upload_id, 'version', x.version, 'purge', x.purge, 'state', x.state,
    'done', case when x.purge then x.state = 'purged' and v_left = 0 else x.state <> 'marked' end,
    'files', v_sum.files, 'rows', v_sum.rows, 'bytes', v_sum.bytes, 'assets', v_sum.assets, 'objects_left', v_left,
    'requested_at', x.requested_at, 'removed_at', x.removed_at, 'purged_at', x.purged_at);
end $function$;

CREATE OR REPLACE FUNCTION sediment.letter_json(l public.dead_letters)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return jsonb_build_object('id', l.id, 'dataset_id', l.dataset_id, 'table', sediment.name_of(l.dataset_id, l."table"),
    'period_tag', l.period_tag, 'run_id', l.run_id, 'error_code', l.error_code, 'error_message', l.error_message,
    'error_step', l.error_step, 'attempts', l.attempts, 'first_failed_at', l.first_failed_at,
    'last_failed_at', l.last_failed_at, 'at', (extract(epoch from l.created_at) * 1000000)::bigint);
end $function$;

CREATE OR REPLACE FUNCTION sediment.name_of(p_dataset uuid, p_table text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce((
    select n.name from public.table_names n where n.dataset_id = p_dataset and n."table" = p_table and n.is_current),
    p_table)
$function$;

revoke all on function "sediment"."name_of"(uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.names_of(d public.datasets)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if not d.has_aliases then
    return '{}';
  end if;
  return (select coalesce(jsonb_object_agg(n."table", n.name), '{}') from public.table_names n
    where n.dataset_id = d.id and n.is_current);
end $function$;

revoke all on function "sediment"."names_of"(public.datasets) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.offsets_digest(p_dataset uuid, p_offsets jsonb)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (select encode(sha256(convert_to('[' || string_agg(format('["%s",%s,%s,"%s"]', sediment.table_of(p_dataset, s.value ->> 0),
    s.value ->> 1, s.value ->> 2, s.value ->> 3), ',' order by s.n) || ']', 'UTF8')), 'hex')
  from jsonb_array_elements(p_offsets) with ordinality as s(value, n));
end $function$;

revoke all on function "sediment"."offsets_digest"(uuid, jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.own_dataset_id(p_user uuid, p_dataset uuid)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_hex constant text := sediment.identity_digest(p_dataset, p_user::text, 'own dataset', '');
begin
  return (substr(v_hex, 1, 12) || '8' || substr(v_hex, 14, 3) || substr('89ab', 1 + ascii(substr(v_hex, 17, 1)) % 4, 1)
    || substr(v_hex, 18, 15))::uuid;
end $function$;

revoke all on function "sediment"."own_dataset_id"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.refuse_renamed_stages(p_calls sediment.commit_call[], p_files sediment.commit_file[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_name text;
begin
  if not exists (
    select 1 from unnest(p_calls) as c join public.datasets d on d.id = any (array[c.dataset_id]) where d.has_aliases)
  then
    return;
  end if;
  select n.name into v_name
  from (
    select c.dataset_id, c."table" from unnest(p_calls) as c
    union select f.dataset_id, f."table" from unnest(p_files) as f) x
  join public.table_names n on n.dataset_id = x.dataset_id and n.name = x."table" and n."table" <> n.name limit 1;
  if found then
    perform sediment.fail('stage_expired', 410, format('%s became the name of another table', v_name));
  end if;
end $function$;

revoke all on function "sediment"."refuse_renamed_stages"(sediment.commit_call[], sediment.commit_file[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.respell_commits(p_calls sediment.commit_call[])
 RETURNS sediment.commit_call[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_calls sediment.commit_call[] := p_calls;
  v_call sediment.commit_call;
begin
  for v_call in
    select c.* from unnest(p_calls) as c
    join public.datasets d on d.id = any (array[c.dataset_id])
    where d.has_aliases and jsonb_typeof(c.files) = 'array' and c.files <> '[]'
  loop
    v_calls[v_call.n].files := (
      select jsonb_agg(case when jsonb_typeof(f.value) = 'object' and f.value ? 'table'
        then f.value || jsonb_build_object('table', sediment.table_of(v_call.dataset_id, f.value ->> 'table'))
        else f.value end order by f.n)
      from jsonb_array_elements(v_call.files) with ordinality as f(value, n));
  end loop;
  return v_calls;
end $function$;

revoke all on function "sediment"."respell_commits"(sediment.commit_call[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.respell_stages(p_calls jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_calls jsonb := p_calls;
begin
  if jsonb_path_exists(v_calls, '$[*].p_own_dataset ? (@ == true)') then
    select jsonb_agg(case
      when (c.value ->> 'p_own_dataset')::boolean and c.value ->> 'p_user' is not null
        and exists (select 1 from public.datasets d where d.id = (c.value ->> 'p_dataset')::uuid)
        and not sediment.role_suffices(
          sediment.dataset_role((c.value ->> 'p_user')::uuid, (c.value ->> 'p_dataset')::uuid), 'writer')
      then c.value || jsonb_build_object('p_dataset', sediment.own_dataset_id((c.value ->> 'p_user')::uuid,
        (c.value ->> 'p_dataset')::uuid))
      else c.value end order by c.n)
    into strict v_calls
    from jsonb_array_elements(v_calls) with ordinality as c(value, n);
  end if;
  if not exists (
    select 1 from jsonb_array_elements(v_calls) as c
    join public.datasets d on d.id = any (array[(c ->> 'p_dataset')::uuid]) where d.has_aliases)
  then
    return v_calls;
  end if;
  return (
    select jsonb_agg(c.value || jsonb_build_object(
      'p_table', sediment.table_of((c.value ->> 'p_dataset')::uuid, c.value ->> 'p_table'),
      'p_offsets_digest', case when jsonb_typeof(c.value -> 'p_offsets') = 'array'
        then sediment.offsets_digest((c.value ->> 'p_dataset')::uuid, c.value -> 'p_offsets')
        else c.value ->> 'p_offsets_digest' end) order by c.n)
    from jsonb_array_elements(v_calls) with ordinality as c(value, n));
end $function$;

revoke all on function "sediment"."respell_stages"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.stage_uploads(p_calls jsonb)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_indexonlyscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_calls sediment.stage_call[] := sediment.read_stage_calls(sediment.respell_stages(p_calls));
  v_call sediment.stage_call;
  v_now timestamptz := clock_timestamp();
  v_detail text;
  v_hint text;
  v_out jsonb[];
begin
  -- By what they lock, then as they came: two groups with calls of the same users must not wait for each other.
  for v_call in
    select c.* from unnest(v_calls) as c where c.needs_admission and c.outcome is null
    order by c.user_id, c.dataset_id, c.idempotency_key, c.n
  loop
    begin
      perform sediment.admit_upload(v_call);
    exception when others then
      -- the errors of sediment.fail are this call's own; any other, and a lock not had, is the group's
      if sqlstate not like 'SD%' then
        raise;
      end if;
      get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
      v_calls[v_call.n].outcome := sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
    end;
  end loop;

  v_calls := sediment.spend_uploads(v_calls);

  with planned as materialized (
    select c.*, t.stage_id, t.suffix, v_now + make_interval(secs => c.ttl_seconds) as expires_at,
      v_now + make_interval(secs => c.ttl_seconds + c.max_put_seconds) as put_deadline,
      format('battle_data/%s/%s/%s/%s%s', c.dataset_id, c."table", c.period_tag, t.stage_id, t.suffix) as object_key,
      case when c.kind like 'direct%' then format('incoming/%s/%s%s', c.user_id, t.stage_id, t.suffix) end
        as incoming_key
    from unnest(v_calls) as c
    cross join lateral (select gen_random_uuid() as stage_id,
      case when c.kind like '%concatenated' then '.bin' else '.parquet' end as suffix) t
  ), fragments as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, "table",
      period_tag, stage_id, content_hash, offsets_digest, details, staged_version)
    select p.object_key, 'fragment', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p."table",
      p.period_tag, p.stage_id, p.content_hash, p.offsets_digest, p.details,
      (select d.version from public.datasets d where d.id = any (array[p.dataset_id]))
    from planned p where p.outcome is null
  ), incoming as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, stage_id)
    select p.incoming_key, 'incoming', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p.stage_id
    from planned p where p.outcome is null and p.incoming_key is not null
  )
  select array_agg(coalesce(p.outcome, jsonb_build_object('answer', jsonb_build_object(
    'stage_id', p.stage_id, 'dataset_id', p.dataset_id, 'object_key', p.object_key, 'incoming_key', p.incoming_key,
    'expires_at', p.expires_at, 'duplicate', p.first_answer is not null,
    'answer', p.first_answer || jsonb_build_object('duplicate', true)))) order by p.n)
  into strict v_out
  from planned p;
  return v_out;
end $function$;

CREATE OR REPLACE FUNCTION sediment.table_of(p_dataset uuid, p_name text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce((select n."table" from public.table_names n where n.dataset_id = p_dataset and n.name = p_name), p_name)
$function$;

revoke all on function "sediment"."table_of"(uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.write_commits(p_calls sediment.commit_call[], p_files sediment.commit_file[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_parts sediment.partition_change[];
  v_seqs bigint[]; -- of each file, in the order of p_files
  v_changes sediment.dataset_change[];
  v_new_schemas boolean;
  v_new_parts boolean;
  v_made uuid[]; -- the dataset of each partition that is new
  v_delay integer;
  v_versions public.dataset_versions[];
  v_answers jsonb;
begin
  -- What is known already is asked for once: schemas and partitions are never deleted.
  with parts as materialized (
    select f.dataset_id, f."table", f.period_tag, min(f.ordinality)::integer as first_file,
      max(f.ordinality)::integer as last_file, sum(f.byte_length)::bigint as bytes, sum(f.row_count) as rows,
      sum(f.uncompressed_bytes) as uncompressed, array_agg(distinct f.n) as calls,
      bool_or(k.digest is null) as new_schemas
    from unnest(p_files) with ordinality as f
    left join public.file_schemas k on k.digest = any (array[f.schema_digest])
    group by f.dataset_id, f."table", f.period_tag
  )
  select array_agg(row(p.dataset_id, p."table", p.period_tag, p.first_file, p.last_file, p.bytes, p.calls,
      null)::sediment.partition_change order by p.first_file),
    bool_or(x.dataset_id is null), bool_or(p.new_schemas),
    (select array_agg(row(t.dataset_id, t.files, t.bytes, t.rows, t.uncompressed, null)::sediment.dataset_change)
      from (
        select d.dataset_id, sum(d.last_file - d.first_file + 1) as files, sum(d.bytes) as bytes, sum(d.rows) as rows,
          sum(d.uncompressed) as uncompressed
        from parts d group by d.dataset_id
      ) t),
    (select s.realtime_delay_seconds from public.service_settings s where s.id)
  into strict v_parts, v_new_parts, v_new_schemas, v_changes, v_delay
  from parts p
  left join public.partitions x
    on x.dataset_id = any (array[p.dataset_id]) and x."table" = p."table" and x.period_tag = p.period_tag;

  if v_new_schemas then
    perform sediment.keep_schemas(array_agg(f.schema)) from unnest(p_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if v_new_parts then
    with made as (
      insert into public.partitions (dataset_id, "table", period_tag)
      select f.dataset_id, f."table", f.period_tag from unnest(v_parts) as f
      -- an insert would wait for whoever updates the row that is there
      where not exists (select 1 from public.partitions x
        where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
      order by 1, 2, 3
      on conflict (dataset_id, "table", period_tag) do nothing
      returning dataset_id
    )
    select array_agg(m.dataset_id) into v_made from made m;
  end if;
  if cardinality(v_parts) > 1 then
    perform 1 from unnest(v_parts) as f
    join public.partitions x
      on x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    order by f.dataset_id, f."table", f.period_tag
    for no key update of x;
  end if;
  with raised as (
    update public.partitions x
    set debt_files = x.debt_files + f.last_file - f.first_file + 1, debt_bytes = x.debt_bytes + f.bytes,
      debt_oldest = coalesce(x.debt_oldest, v_now), demand_seq = x.demand_seq + cardinality(f.calls),
      last_seq = x.last_seq + f.last_file - f.first_file + 1
    from unnest(v_parts) as f
    where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    returning f.first_file, f.last_file, x.last_seq,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        -- wake_partition would find a message that waits, of this priority or a higher one, and early enough
        case when x.lease_expires_at is null and x.ready_at <= v_now + make_interval(secs => v_delay)
          and x.queue in ('realtime', 'manual') then x.run_id end)::sediment.partition_change as part
  )
  select array_agg(r.part order by r.first_file),
    (select array_agg(s.last_seq - s.last_file + g.nth order by g.nth)
      from raised s cross join lateral generate_series(s.first_file, s.last_file) as g(nth))
  into strict v_parts, v_seqs
  from raised r;

  v_versions := sediment.next_versions(v_changes);
  if v_made is not null then
    update public.datasets d set partition_count = d.partition_count + m.count
    from (select v.id, count(*) as count from unnest(v_made) as v(id) group by v.id) m
    where d.id = any (array[m.id]);
  end if;
  perform sediment.refuse_deleted_stages(p_calls);
  perform sediment.refuse_removed_writers(p_calls);
  perform sediment.refuse_renamed_stages(p_calls, p_files);

  update public.objects x
  set state = 'stored', size = c.object_size, etag = nullif(c.etag, ''), expires_at = null, updated_at = v_now
  from unnest(p_calls) as c
  where x.object_key = any (array[c.object_key]) and x.state = 'staged';
  perform sediment.discard_object(x.object_key, 'the checked copy is stored')
  from public.objects x
  where x.stage_id = any (array(select c.stage from unnest(p_calls) as c)) and x.stage_id is not null
    and x.kind = 'incoming';

  for i in 1 .. cardinality(v_parts) loop
    if v_parts[i].run_id is null then
      v_parts[i].run_id := sediment.wake_partition(v_parts[i].dataset_id, v_parts[i]."table", v_parts[i].period_tag,
        'realtime', 'upload', v_delay);
    end if;
  end loop;

  with inserted as (
    insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, nullif(f.etag, ''), 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts, f.schema_fingerprint, f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now,
      f.checksum, f.schema_digest
    from unnest(p_files) with ordinality as f
    returning id, upload_id, "table", period_tag, ordinal, row_count
  ), answered as (
    update public.uploads u
    set answer = jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
      'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', i.files, 'runs', r.runs)
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select jsonb_agg(jsonb_build_object('id', i.id, 'table', i."table", 'period_tag', i.period_tag,
        'ordinal', i.ordinal, 'row_count', i.row_count) order by i.ordinal) as files
      from inserted i where i.upload_id = c.stage
    ) i
    cross join lateral (
      select jsonb_agg(jsonb_build_object('table', p."table", 'period_tag', p.period_tag, 'metricId', p.run_id)
          order by p.first_file) as runs,
        -- the run of the partition that the upload named, else that of its first
        (array_agg(p.run_id order by (p."table" = c."table" and p.period_tag = c.period_tag) desc, p.first_file))[1]
          as main
      from unnest(v_parts) as p where c.n = any (p.calls)
    ) r
    where u.id = any (array[c.stage])
    returning c.n, u.answer
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answered a;
  return v_answers;
end $function$;

ALTER TABLE "public"."table_names" ADD CONSTRAINT "table_names_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

CREATE UNIQUE INDEX table_names_current ON public.table_names USING btree (dataset_id, "table") WHERE is_current;

CREATE POLICY "member_reads" ON "public"."table_names" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "service_all" ON "public"."table_names" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

REVOKE ALL ON FUNCTION "public"."rename_table"(uuid, uuid, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."rename_table"(uuid, uuid, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text, boolean, jsonb, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text, boolean, jsonb, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."name_of"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."name_of"(uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."names_of"(public.datasets) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."names_of"(public.datasets) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."offsets_digest"(uuid, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."offsets_digest"(uuid, jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."own_dataset_id"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."own_dataset_id"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."refuse_renamed_stages"(sediment.commit_call[], sediment.commit_file[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refuse_renamed_stages"(sediment.commit_call[], sediment.commit_file[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."respell_commits"(sediment.commit_call[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."respell_commits"(sediment.commit_call[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."respell_stages"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."respell_stages"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."table_of"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."table_of"(uuid, text) TO "service_role";

GRANT SELECT ON TABLE "public"."table_names" TO "authenticated";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."table_names" TO "service_role";
