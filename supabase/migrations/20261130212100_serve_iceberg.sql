-- The lake as an Iceberg REST catalog: what readers are given of its tables, written when somebody asks.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."objects" DROP CONSTRAINT "objects_facts";

CREATE TABLE "public"."lake_heads" ("relation_id" bigint NOT NULL, "dataset_id" uuid NOT NULL, "revision" bigint NOT NULL DEFAULT 0, "claimed_until" timestamp with time zone, "snapshot_id" bigint, "oldest_snapshot_id" bigint, "columns_at" bigint, "types" jsonb, "metadata" text, "object_key" text, "drop_history" boolean NOT NULL DEFAULT false, "seen_snapshot" bigint NOT NULL DEFAULT 0, "seen_file" bigint NOT NULL DEFAULT 0, "seen_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "lake_heads_pkey" PRIMARY KEY (relation_id, dataset_id));

revoke all on "public"."lake_heads" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_heads" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."lake_manifest_lists" ("relation_id" bigint NOT NULL, "dataset_id" uuid NOT NULL, "snapshot_id" bigint NOT NULL, "at" timestamp with time zone NOT NULL, "object_key" text NOT NULL, "file_count" bigint NOT NULL, "row_count" bigint NOT NULL, "bytes" bigint NOT NULL, CONSTRAINT "lake_manifest_lists_pkey" PRIMARY KEY (relation_id, dataset_id, snapshot_id));

revoke all on "public"."lake_manifest_lists" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_manifest_lists" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."lake_manifests" ("object_key" text NOT NULL, "relation_id" bigint NOT NULL, "dataset_id" uuid NOT NULL, "begin_snapshot" bigint NOT NULL, "end_snapshot" bigint, "bytes" bigint NOT NULL, "files" bigint[] NOT NULL, "row_count" bigint NOT NULL, "added_files" integer NOT NULL, "added_rows" bigint NOT NULL, "min_sequence" bigint NOT NULL, CONSTRAINT "lake_manifests_pkey" PRIMARY KEY (object_key));

revoke all on "public"."lake_manifests" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_manifests" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."lake_columns" ADD COLUMN "iceberg_type" text;

ALTER TABLE "public"."lake_schemas" ADD COLUMN "iceberg_columns" bigint;

ALTER TABLE "public"."lake_schemas" ADD COLUMN "iceberg_reason" text;

CREATE OR REPLACE FUNCTION public.commit_lake_metadata(p_claim jsonb, p_manifests jsonb, p_list jsonb, p_metadata jsonb, p_text text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_relation constant bigint := (p_claim ->> 'relation')::bigint;
  v_dataset constant uuid := (p_claim ->> 'dataset_id')::uuid;
  v_snapshot constant bigint := (p_claim ->> 'snapshot')::bigint;
  v_objects constant jsonb := p_manifests || p_list || p_metadata;
  v_history bigint[] := array(select x.id::bigint from jsonb_array_elements_text(p_claim -> 'history') x(id));
  v_stored integer;
  v_gone text[];
  h public.lake_heads;
begin
  select * into h from public.lake_heads x
  where x.relation_id = v_relation and x.dataset_id = v_dataset and x.revision = (p_claim ->> 'revision')::bigint
    and x.claimed_until is not null
  for update;
  if not found then
    return '{"committed": false}'::jsonb;
  end if;
  update public.objects o
  set state = 'stored', size = n.size, etag = n.etag, updated_at = clock_timestamp()
  from jsonb_to_recordset(v_objects) as n(object_key text, size bigint, etag text)
  where o.object_key = n.object_key and o.kind = 'lake' and o.state = 'staged';
  get diagnostics v_stored = row_count;
  if v_stored <> jsonb_array_length(v_objects) then
    perform sediment.fail('lease_lost', 409, 'what was written was given up meanwhile');
  end if;

  update public.lake_manifests m set end_snapshot = v_snapshot
  where m.relation_id = v_relation and m.dataset_id = v_dataset and m.end_snapshot is null
    and not (p_claim -> 'kept') ? m.object_key;
  insert into public.lake_manifests (object_key, relation_id, dataset_id, begin_snapshot, bytes, files, row_count, added_files,
    added_rows, min_sequence)
  select n.object_key, v_relation, v_dataset, v_snapshot, n.size, n.files, n.rows, n.added_files, n.added_rows, n.min_sequence
  from jsonb_to_recordset(p_manifests) as n(object_key text, size bigint, files bigint[], rows bigint, added_files integer,
    added_rows bigint, min_sequence bigint);

  with gone as (
    delete from public.lake_manifest_lists y
    where y.relation_id = v_relation and y.dataset_id = v_dataset and y.snapshot_id <> all (v_history)
    returning y.object_key
  )
  select array_agg(g.object_key) into v_gone from gone g;
  with gone as (
    delete from public.lake_manifests m
    where m.relation_id = v_relation and m.dataset_id = v_dataset and m.end_snapshot is not null
      and not exists (select 1 from unnest(v_history) x(id) where x.id >= m.begin_snapshot and x.id < m.end_snapshot)
    returning m.object_key
  )
  select v_gone || array_agg(g.object_key) into v_gone from gone g;
  insert into public.lake_manifest_lists (relation_id, dataset_id, snapshot_id, at, object_key, file_count, row_count, bytes)
  values (v_relation, v_dataset, v_snapshot, (p_claim ->> 'at')::timestamptz, p_list ->> 'object_key',
    (p_claim #>> '{totals,files}')::bigint, (p_claim #>> '{totals,rows}')::bigint, (p_claim #>> '{totals,bytes}')::bigint);
  perform sediment.retire_object(k.key, 'no snapshot of the lake names it', interval '1 hour')
  from unnest(v_gone || h.object_key) as k(key) where k.key is not null;

  update public.lake_heads x
  set claimed_until = null, snapshot_id = v_snapshot, oldest_snapshot_id = least(v_snapshot, (select min(y.id) from unnest(v_history) y(id))),
    columns_at = (p_claim ->> 'columns_at')::bigint, types = p_claim -> 'types', metadata = p_text, object_key = p_metadata ->> 'object_key', drop_history = false,
    seen_snapshot = v_snapshot, seen_file = (p_claim ->> 'next_file')::bigint, seen_at = clock_timestamp()
  where x.relation_id = v_relation and x.dataset_id = v_dataset;
  return '{"committed": true}'::jsonb;
end $function$;

revoke all on function "public"."commit_lake_metadata"(jsonb, jsonb, jsonb, jsonb, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.list_lake(p_user uuid, p_namespace text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_most constant integer := 1000;
  v_names text[];
  v_scope uuid;
begin
  if p_namespace is null then
    v_names := case when p_user is null then array['lake'] else array(
      select d.id::text from public.datasets d
      where d.id = any (sediment.datasets_of(p_user, 'reader')) and d.deleted_at is null
      order by d.id limit v_most + 1) end;
  else
    v_scope := sediment.lake_scope(p_user, p_namespace);
    v_names := array(
      select r.name from public.lake_relations r
      where r.end_snapshot is null and (v_scope = '00000000-0000-0000-0000-000000000000' or exists (
        select 1 from public.partitions p where p.dataset_id = v_scope and p."table" = r.name))
      order by r.name limit v_most + 1);
  end if;
  return jsonb_build_object('names', to_jsonb(v_names[1 : v_most]), 'more', cardinality(v_names) > v_most);
end $function$;

revoke all on function "public"."list_lake"(uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.load_lake_table(p_user uuid, p_namespace text, p_table text, p_seconds integer DEFAULT 30)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_all constant uuid := '00000000-0000-0000-0000-000000000000';
  v_each constant integer := 1000; -- files a manifest
  v_small constant integer := 8; -- manifests of less than half of that, at once
  v_history constant integer := 99;
  v_scope uuid;
  v_last public.lake_snapshots;
  v_oldest bigint;
  v_plan jsonb;
  v_prefix text;
  v_keys text[];
  r public.lake_relations;
  h public.lake_heads;
begin
  v_scope := sediment.lake_scope(p_user, p_namespace);
  select * into r from public.lake_relations x where x.name = p_table and x.end_snapshot is null;
  if not found or v_scope <> v_all
    and not exists (select 1 from public.partitions p where p.dataset_id = v_scope and p."table" = p_table)
  then
    perform sediment.fail('not_found', 404, format('there is no table %s in %s', left(p_table, 80), left(p_namespace, 80)));
  end if;
  select * into strict v_last from public.lake_snapshots s order by s.id desc limit 1;
  select min(s.id) into strict v_oldest from public.lake_snapshots s;
  select * into h from public.lake_heads x where x.relation_id = r.id and x.dataset_id = v_scope;

  if h.snapshot_id is not null and not h.drop_history and (h.oldest_snapshot_id >= v_oldest or h.oldest_snapshot_id = h.snapshot_id)
    and (h.seen_snapshot = v_last.id or h.columns_at = (
        select max(c.begin_snapshot) from public.lake_columns c where c.relation_id = r.id and c.end_snapshot is null)
      and not exists (
        select 1 from public.lake_files l
        where l.id >= h.seen_file and l.relation_id = r.id and (v_scope = v_all or l.dataset_id = v_scope))
      and not exists (
        select 1 from public.lake_files l
        where l.end_snapshot > h.seen_snapshot and l.relation_id = r.id and (v_scope = v_all or l.dataset_id = v_scope)))
  then
    -- the next one looks through what comes from now on
    if h.seen_snapshot < v_last.id then
      update public.lake_heads x
      set seen_snapshot = v_last.id, seen_file = v_last.next_file_id, seen_at = clock_timestamp()
      where x.relation_id = r.id and x.dataset_id = v_scope and x.revision = h.revision and x.seen_snapshot < v_last.id;
    end if;
    return jsonb_build_object('state', 'fresh', 'object_key', h.object_key, 'metadata', h.metadata);
  end if;

  insert into public.lake_heads (relation_id, dataset_id) values (r.id, v_scope) on conflict (relation_id, dataset_id) do nothing;
  update public.lake_heads x
  set revision = x.revision + 1, claimed_until = clock_timestamp() + make_interval(secs => p_seconds)
  where x.relation_id = r.id and x.dataset_id = v_scope and (x.claimed_until is null or x.claimed_until <= clock_timestamp())
  returning * into h;
  if not found then
    select * into h from public.lake_heads x where x.relation_id = r.id and x.dataset_id = v_scope;
    return jsonb_build_object('state', 'busy', 'object_key', case when not h.drop_history then h.object_key end,
      'metadata', case when not h.drop_history then h.metadata end);
  end if;
  perform sediment.judge_lake_schemas(r.id);
  -- a column that is now what its files of before can't be read as
  h.drop_history := h.drop_history or exists (
    select 1 from jsonb_each_text(h.types) t join public.lake_columns c
      on c.relation_id = r.id and c.column_id = t.key::bigint and c.end_snapshot is null
    where not sediment.iceberg_fits(t.value, c.iceberg_type));

  -- in one statement, which sees the files of one snapshot
  with last as materialized (
    select s.id, s.at, s.next_file_id from public.lake_snapshots s order by s.id desc limit 1
  ), shown as materialized (
    select l.*, k.iceberg_reason
    from public.lake_files l join public.lake_schemas k on k.mapping_id = l.mapping_id
    where l.relation_id = r.id and l.end_snapshot is null and (v_scope = v_all or l.dataset_id = v_scope)
  ), alive as materialized (
    select s.* from shown s where s.iceberg_reason is null
  ), listed as materialized (
    select m.object_key, f.id, a.row_count
    from public.lake_manifests m cross join lateral unnest(m.files) as f(id) left join alive a on a.id = f.id
    where m.relation_id = r.id and m.dataset_id = v_scope and m.end_snapshot is null
  ), whole as materialized (
    select x.object_key, count(*) as files, sum((count(*) < v_each / 2)::integer) over () as small
    from listed x group by x.object_key having bool_and(x.row_count is not null)
  ), kept as materialized (
    select m.* from whole w join public.lake_manifests m on m.object_key = w.object_key
    where w.files >= v_each / 2 or w.small < v_small
  ), open as materialized (
    select a.*, x.id is null as is_new from alive a
    left join listed x on x.id = a.id
    where not exists (select 1 from kept k where k.object_key = x.object_key)
  ), history as (
    select y.* from public.lake_manifest_lists y cross join last z
    where y.relation_id = r.id and y.dataset_id = v_scope and not h.drop_history and y.snapshot_id >= v_oldest
      and y.snapshot_id < z.id
    order by y.snapshot_id desc limit v_history
  ), names as materialized (
    select f.column_id, array_agg(distinct f.name order by f.name) as names
    from public.lake_schemas k join public.lake_mapping_fields f on f.mapping_id = k.mapping_id
    where k.relation_id = r.id and (v_scope = v_all or k.mapping_id in (select s.mapping_id from shown s))
    group by f.column_id
  ), ours as (
    -- a reader of one dataset is told of that one's columns alone
    select c.*, n.names from public.lake_columns c left join names n on n.column_id = c.column_id
    where c.relation_id = r.id and c.end_snapshot is null
      and (v_scope = v_all or c.column_id in (1, 2) or n.column_id is not null)
  )
  select jsonb_build_object('state', 'claimed', 'relation', r.id, 'dataset_id', v_scope, 'revision', h.revision, 'uuid', r.uuid,
    'name', r.name, 'snapshot', z.id, 'at', z.at, 'next_file', z.next_file_id,
    'columns_at', (select max(c.begin_snapshot) from public.lake_columns c where c.relation_id = r.id and c.end_snapshot is null),
    'columns', (select jsonb_agg(jsonb_build_object('id', c.column_id, 'parent', c.parent_id, 'name', c.name, 'type', c.iceberg_type,
        'names', coalesce(c.names, array[c.name::text]))
        order by c.column_id) from ours c),
    'history', (select coalesce(jsonb_agg(jsonb_build_object('snapshot', y.snapshot_id, 'at', y.at, 'object_key', y.object_key,
        'files', y.file_count, 'rows', y.row_count, 'bytes', y.bytes) order by y.snapshot_id), '[]') from history y),
    'kept', (select coalesce(jsonb_agg(jsonb_build_object('object_key', m.object_key, 'bytes', m.bytes, 'snapshot', m.begin_snapshot,
        'added_files', m.added_files, 'added_rows', m.added_rows, 'files', cardinality(m.files), 'rows', m.row_count,
        'min_sequence', m.min_sequence) order by m.files[1], m.object_key), '[]') from kept m),
    'files', (select coalesce(jsonb_agg(jsonb_build_array(o.id, o.begin_snapshot, o.dataset_id, o.period_tag, o.object_key, o.bytes,
        o.row_count, o.is_new) order by o.id), '[]') from open o),
    'totals', (select jsonb_build_object('files', count(*), 'rows', coalesce(sum(a.row_count), 0), 'bytes', coalesce(sum(a.bytes), 0))
      from alive a),
    'left_out', (select coalesce(jsonb_agg(jsonb_build_object('reason', g.reason, 'files', g.files, 'rows', g.rows) order by g.files desc),
        '[]')
      from (
        select s.iceberg_reason as reason, count(*) as files, sum(s.row_count) as rows from shown s
        where s.iceberg_reason is not null group by 1
        union all
        select y.reason, count(*), null from public.lake_left_files y
        where y.relation_id = r.id and (v_scope = v_all or y.dataset_id = v_scope) group by 1
        order by 2 desc limit 20) g))
  into strict v_plan
  from last z;

  v_prefix := format('lake/%s/%s/%s-%s', case when v_scope = v_all then 'all' else v_scope::text end, r.uuid, v_plan ->> 'snapshot',
    h.revision);
  v_keys := array(select format('%s-m%s.avro', v_prefix, n)
    from generate_series(1, (jsonb_array_length(v_plan -> 'files') + v_each - 1) / v_each) n);
  insert into public.objects (object_key, kind, put_deadline, dataset_id, "table")
  select k.key, 'lake', clock_timestamp() + make_interval(secs => p_seconds + 600), nullif(v_scope, v_all), r.name
  from unnest(v_keys || array[v_prefix || '-list.avro', v_prefix || '.metadata.json']) as k(key);
  return v_plan || jsonb_build_object('keys', jsonb_build_object('metadata', v_prefix || '.metadata.json',
    'list', v_prefix || '-list.avro', 'manifests', to_jsonb(v_keys)));
end $function$;

revoke all on function "public"."load_lake_table"(uuid, text, text, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.schema_version()
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select to_jsonb(6)
$function$;

CREATE OR REPLACE FUNCTION sediment.iceberg_fits(p_leaf text, p_column text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select p_leaf is not null and (p_column is null or p_leaf = p_column
    or p_leaf = 'int' and p_column = 'long' or p_leaf = 'float' and p_column = 'double'
    or p_leaf like 'decimal(%' and p_column like 'decimal(%'
      and substring(p_leaf from ',(\d+)') = substring(p_column from ',(\d+)')
      and substring(p_leaf from '\((\d+)')::integer <= substring(p_column from '\((\d+)')::integer)
$function$;

revoke all on function "sediment"."iceberg_fits"(text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.iceberg_leaf(p_type text, p_logical text, p_spelling text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case
    when p_spelling is not null and not (p_spelling = 'converted' and p_logical ~ '^TIME') then null
    when p_logical is null then case p_type
      when 'BOOLEAN' then 'boolean' when 'INT32' then 'int' when 'INT64' then 'long' when 'FLOAT' then 'float'
      when 'DOUBLE' then 'double' when 'BYTE_ARRAY' then 'binary' when 'INT96' then 'int96' else 'fixed' end
    when p_logical ~ '^INTEGER\(\d+,SIGNED' then case when p_logical like 'INTEGER(64,%' then 'long' else 'int' end
    when p_logical like 'INTEGER(%' then 'unsigned'
    when p_logical like 'DECIMAL(%' then
      case when substring(p_logical from '\d+')::integer <= 38 then lower(p_logical) end
    when p_logical like 'TIMESTAMP(NANOS,%' then 'nanoseconds'
    when p_logical like 'TIMESTAMP(%' then
      case when p_logical like '%,UTC)' and p_spelling is null then 'timestamptz' else 'timestamp' end
    when p_logical like 'TIME(MICROS,%' then
      case when p_logical like '%,UTC)' and p_spelling is null then 'timetz' else 'time' end
    else case p_logical
      when 'STRING' then 'string' when 'ENUM' then 'string' when 'JSON' then 'string' when 'BSON' then 'binary'
      when 'UUID' then 'uuid' when 'DATE' then 'date' when 'FLOAT16' then 'half' when 'INTERVAL' then 'interval' end
  end
$function$;

revoke all on function "sediment"."iceberg_leaf"(text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.iceberg_leaves(p_schema jsonb)
 RETURNS TABLE(path text[], leaf text)
 LANGUAGE sql
 IMMUTABLE ROWS 100
 SET search_path TO ''
AS $function$
  with recursive walk as (
    select c.node, array[lower(c.node ->> 'name' collate "C")] as path
    from jsonb_array_elements(p_schema -> 'children') c(node)
    union all
    select x.node, w.path || lower(x.name collate "C")
    from walk w cross join lateral sediment.lake_children(w.node) x
    where cardinality(w.path) < 32
  )
  select w.path, case when w.node ? 'type' then sediment.iceberg_leaf(w.node ->> 'type', w.node ->> 'logical', w.node ->> 'spelling')
    else sediment.lake_group(w.node) end
  from walk w
$function$;

revoke all on function "sediment"."iceberg_leaves"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.iceberg_type(p_type text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case p_type
    when 'int8' then 'int' when 'int16' then 'int' when 'int32' then 'int' when 'int64' then 'long'
    when 'float32' then 'float' when 'float64' then 'double'
    when 'varchar' then 'string' when 'json' then 'string' when 'blob' then 'binary'
    else case when p_type in ('boolean', 'uuid', 'date', 'time', 'timestamp', 'timestamptz', 'struct', 'list', 'map')
      or p_type like 'decimal(%' then p_type end
  end
$function$;

revoke all on function "sediment"."iceberg_type"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.is_readable_object(p_key text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER COST 1000
 SET search_path TO ''
AS $function$
begin
  return (exists (
    select 1 from public.battle_files f join public.datasets d on d.id = f.dataset_id
    where f.object_key = p_key and f.start_byte = 0 and f.object_key like '%.parquet'
      and d.deleted_at is null and (f.removed_version is null or f.removed_version > d.oldest_kept_version)
      and not (d.deletion_version > f.added_version and sediment.is_marked(f, d.oldest_kept_version))
      and sediment.dataset_role(auth.uid(), d.id) is not null)
    or exists (
    select 1 from public.objects o join public.datasets d on d.id = o.dataset_id
    where o.object_key = p_key and o.kind = 'lake' and o.state in ('stored', 'deleting') and d.deleted_at is null
      and sediment.dataset_role(auth.uid(), d.id) is not null))
    and not exists (select 1 from public.deletions x where x.user_id = auth.uid() and x.kind = 'user');
end $function$;

CREATE OR REPLACE FUNCTION sediment.judge_lake_schemas(p_relation bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_hashjoin TO 'on'
 SET enable_seqscan TO 'on'
AS $function$
declare
  v_columns bigint;
begin
  select max(c.begin_snapshot) into v_columns from public.lake_columns c where c.relation_id = p_relation and c.end_snapshot is null;
  if not exists (
    select 1 from public.lake_schemas k
    where k.relation_id = p_relation and k.mapping_id is not null and k.iceberg_columns is distinct from v_columns)
    and not exists (
    select 1 from public.lake_columns c
    where c.relation_id = p_relation and c.end_snapshot is null and c.column_id = 1 and c.iceberg_type is null)
  then
    return;
  end if;

  with leaves as materialized (
    select distinct l.path, l.leaf
    from public.lake_schemas k join public.file_schemas s on s.digest = k.schema_digest
    cross join lateral sediment.iceberg_leaves(s.schema) l
    where k.relation_id = p_relation and k.mapping_id is not null
  ), wanted as (
    select c.column_id, c.begin_snapshot, case when c.column_id in (1, 2) or exists (
        select 1 from leaves l where l.path = c.path and sediment.iceberg_fits(l.leaf, sediment.iceberg_type(c.type)))
        then sediment.iceberg_type(c.type) end as type
    from public.lake_columns c
    where c.relation_id = p_relation and c.end_snapshot is null
  )
  update public.lake_columns c set iceberg_type = w.type
  from wanted w
  where c.relation_id = p_relation and c.column_id = w.column_id and c.begin_snapshot = w.begin_snapshot
    and c.iceberg_type is distinct from w.type;

  update public.lake_schemas k
  set iceberg_columns = v_columns, iceberg_reason = j.reason
  from (
    select x.mapping_id, (array_agg(format('column %s: %s', left(array_to_string(l.path, '.'), 200),
        case when c.column_id is null then 'the lake has no place for it' when l.leaf is null then 'engines do not open files that have it'
          else format('%s here, %s in the table', l.leaf, c.iceberg_type) end) order by l.path)
      filter (where l.path is not null and (c.column_id is null or not sediment.iceberg_fits(l.leaf, c.iceberg_type))))[1] as reason
    from public.lake_schemas x
    join public.file_schemas s on s.digest = x.schema_digest
    left join lateral sediment.iceberg_leaves(s.schema) l on true
    left join public.lake_columns c on c.relation_id = x.relation_id and c.path = l.path and c.end_snapshot is null
    where x.relation_id = p_relation and x.mapping_id is not null
    group by x.mapping_id
  ) j
  where k.mapping_id = j.mapping_id;
end $function$;

revoke all on function "sediment"."judge_lake_schemas"(bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lake_scope(p_user uuid, p_namespace text)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if p_user is null and p_namespace = 'lake' then
    return '00000000-0000-0000-0000-000000000000';
  end if;
  if p_namespace is null or p_namespace !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    perform sediment.fail('not_found', 404, format('there is no namespace %s', left(p_namespace, 80)));
  end if;
  return (sediment.require_dataset(p_user, p_namespace::uuid)).id;
end $function$;

revoke all on function "sediment"."lake_scope"(uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.prune_lake_heads(p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_count integer := 0;
  v_keys text[];
  h record;
begin
  for h in
    select x.relation_id, x.dataset_id, x.object_key from public.lake_heads x
    left join public.lake_relations r on r.id = x.relation_id
    where (x.claimed_until is null or x.claimed_until < clock_timestamp()) and (r.id is null or r.end_snapshot is not null
      or x.drop_history or x.seen_at < clock_timestamp() - interval '7 days')
    limit p_limit
    for update of x skip locked
  loop
    with manifests as (
      delete from public.lake_manifests m where m.relation_id = h.relation_id and m.dataset_id = h.dataset_id returning m.object_key
    ), lists as (
      delete from public.lake_manifest_lists y where y.relation_id = h.relation_id and y.dataset_id = h.dataset_id returning y.object_key
    )
    select array(select m.object_key from manifests m union all select y.object_key from lists y) into strict v_keys;
    perform sediment.retire_object(k.key, 'nobody reads the table by it', interval '1 hour')
    from unnest(v_keys || h.object_key) as k(key) where k.key is not null;
    delete from public.lake_heads x where x.relation_id = h.relation_id and x.dataset_id = h.dataset_id;
    v_count := v_count + 1;
  end loop;
  return v_count;
end $function$;

revoke all on function "sediment"."prune_lake_heads"(integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.purge_lake(p_files bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform pg_advisory_xact_lock_shared(sediment.lake_lock());
  insert into public.lake_heads as h (relation_id, dataset_id, drop_history)
  select distinct l.relation_id, s.dataset_id, true
  from public.lake_files l
  cross join lateral (values (l.dataset_id), ('00000000-0000-0000-0000-000000000000'::uuid)) s (dataset_id)
  where l.battle_file = any (p_files)
  order by 1, 2
  on conflict (relation_id, dataset_id) do update set drop_history = true, revision = h.revision + 1;
  delete from public.lake_files l where l.battle_file = any (p_files);
  delete from public.lake_left_files l where l.battle_file = any (p_files);
end $function$;

ALTER TABLE "public"."lake_manifest_lists" ADD CONSTRAINT "lake_manifest_lists_object_key_fkey" FOREIGN KEY (object_key) REFERENCES public.objects(object_key);

ALTER TABLE "public"."lake_manifests" ADD CONSTRAINT "lake_manifests_object_key_fkey" FOREIGN KEY (object_key) REFERENCES public.objects(object_key);

ALTER TABLE "public"."objects" ADD CONSTRAINT "objects_facts" CHECK (((kind = ANY (ARRAY['fragment'::text, 'incoming'::text, 'compacted'::text, 'asset'::text, 'probe'::text, 'lake'::text])) AND (state = ANY (ARRAY['staged'::text, 'stored'::text, 'deleting'::text, 'tombstone'::text])) AND (size >= 0))) NOT VALID;

CREATE INDEX lake_manifests_table ON public.lake_manifests USING btree (relation_id, dataset_id);

CREATE POLICY "service_all" ON "public"."lake_heads" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."lake_manifest_lists" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."lake_manifests" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

REVOKE ALL ON FUNCTION "public"."commit_lake_metadata"(jsonb, jsonb, jsonb, jsonb, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."commit_lake_metadata"(jsonb, jsonb, jsonb, jsonb, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_lake"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_lake"(uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."load_lake_table"(uuid, text, text, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."load_lake_table"(uuid, text, text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."iceberg_fits"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."iceberg_fits"(text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."iceberg_leaf"(text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."iceberg_leaf"(text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."iceberg_leaves"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."iceberg_leaves"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."iceberg_type"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."iceberg_type"(text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."judge_lake_schemas"(bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."judge_lake_schemas"(bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lake_scope"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lake_scope"(uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."prune_lake_heads"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."prune_lake_heads"(integer) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_heads" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_manifest_lists" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_manifests" TO "service_role";

select cron.schedule('sediment_lake_history', '* * * * *', 'select sediment.prune_lake(10000), sediment.prune_lake_heads(1000)');
