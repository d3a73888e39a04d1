-- The lake: publications of what the commits of all datasets have done to its files, and DuckLake's catalog of them in the schema
-- lake, with a role that reads it and can't log in until it has a password (docs/lake.md). Nothing is there until a table is approved.
set local lock_timeout = '5s';
set local check_function_bodies = off;

do $$
begin
  if not exists (select 1 from pg_catalog.pg_roles r where r.rolname = 'sediment_lake') then
    create role sediment_lake nologin noinherit connection limit 20;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;
alter role sediment_lake set statement_timeout = '60s';
alter role sediment_lake set idle_in_transaction_session_timeout = '300s';
alter role sediment_lake set idle_session_timeout = '1h';
alter role sediment_lake set default_transaction_read_only = on;

CREATE SCHEMA "lake" AUTHORIZATION "postgres";

CREATE TABLE "public"."lake_columns" ("relation_id" bigint NOT NULL, "column_id" bigint NOT NULL, "parent_id" bigint, "path" text[] COLLATE pg_catalog."C" NOT NULL, "name" text COLLATE pg_catalog."C" NOT NULL, "type" text NOT NULL, "begin_snapshot" bigint NOT NULL, "end_snapshot" bigint, "dataset_id" uuid, CONSTRAINT "lake_columns_pkey" PRIMARY KEY (relation_id, column_id, begin_snapshot));

revoke all on "public"."lake_columns" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_columns" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."lake_files" ("id" bigint NOT NULL, "relation_id" bigint NOT NULL, "battle_file" bigint NOT NULL, "begin_snapshot" bigint NOT NULL, "end_snapshot" bigint, "dataset_id" uuid NOT NULL, "period_tag" text COLLATE pg_catalog."C" NOT NULL, "object_key" text NOT NULL, "bytes" bigint NOT NULL, "row_count" bigint NOT NULL, "row_id_start" bigint NOT NULL, "mapping_id" bigint NOT NULL, CONSTRAINT "lake_files_pkey" PRIMARY KEY (id));

revoke all on "public"."lake_files" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_files" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."lake_left_columns" ("relation_id" bigint NOT NULL, "path" text[] COLLATE pg_catalog."C" NOT NULL, "dataset_id" uuid NOT NULL, "reason" text NOT NULL, "left_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "lake_left_columns_pkey" PRIMARY KEY (relation_id, path));

revoke all on "public"."lake_left_columns" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_left_columns" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."lake_left_files" ("battle_file" bigint NOT NULL, "relation_id" bigint NOT NULL, "dataset_id" uuid NOT NULL, "reason" text NOT NULL, "left_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "lake_left_files_pkey" PRIMARY KEY (battle_file));

revoke all on "public"."lake_left_files" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_left_files" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."lake_mapping_fields" ("mapping_id" bigint NOT NULL, "field" integer NOT NULL, "parent" integer, "name" text COLLATE pg_catalog."C" NOT NULL, "column_id" bigint NOT NULL, CONSTRAINT "lake_mapping_fields_pkey" PRIMARY KEY (mapping_id, field));

revoke all on "public"."lake_mapping_fields" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_mapping_fields" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."lake_pending" ("id" bigint GENERATED ALWAYS AS IDENTITY NOT NULL, "dataset_id" uuid, "version" bigint, "file_id" bigint, "change" text NOT NULL, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "lake_pending_change_check" CHECK ((change = ANY (ARRAY['added'::text, 'removed'::text, 'table'::text]))), CONSTRAINT "lake_pending_pkey" PRIMARY KEY (id));

revoke all on "public"."lake_pending" from public, anon, authenticated, service_role;

revoke all on sequence "public"."lake_pending_id_seq" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_pending" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."lake_relations" ("id" bigint GENERATED ALWAYS AS IDENTITY NOT NULL, "lake_table_id" smallint NOT NULL, "name" text COLLATE pg_catalog."C" NOT NULL, "uuid" uuid NOT NULL DEFAULT gen_random_uuid(), "begin_snapshot" bigint NOT NULL, "end_snapshot" bigint, "next_column_id" bigint NOT NULL DEFAULT 1, "next_row_id" bigint NOT NULL DEFAULT 0, "file_bytes" bigint NOT NULL DEFAULT 0, "dataset_min" text COLLATE pg_catalog."C", "dataset_max" text COLLATE pg_catalog."C", "period_min" text COLLATE pg_catalog."C", "period_max" text COLLATE pg_catalog."C", "after_file" bigint DEFAULT '-1'::integer, CONSTRAINT "lake_relations_pkey" PRIMARY KEY (id));

revoke all on "public"."lake_relations" from public, anon, authenticated, service_role;

revoke all on sequence "public"."lake_relations_id_seq" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_relations" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."lake_schemas" ("relation_id" bigint NOT NULL, "schema_digest" text NOT NULL, "mapping_id" bigint, "reason" text, "fields" integer, "dataset_id" uuid, CONSTRAINT "lake_schemas_check" CHECK (((mapping_id IS NULL) <> (reason IS NULL))), CONSTRAINT "lake_schemas_mapping_id_key" UNIQUE (mapping_id), CONSTRAINT "lake_schemas_pkey" PRIMARY KEY (relation_id, schema_digest));

revoke all on "public"."lake_schemas" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_schemas" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."lake_snapshots" ("id" bigint NOT NULL, "at" timestamp with time zone NOT NULL, "schema_version" bigint NOT NULL, "next_file_id" bigint NOT NULL, CONSTRAINT "lake_snapshots_pkey" PRIMARY KEY (id));

revoke all on "public"."lake_snapshots" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_snapshots" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."service_settings" ADD COLUMN "lake_retention_seconds" integer NOT NULL DEFAULT 86400;

CREATE TYPE "sediment"."lake_news" AS ("battle_file" bigint, "relation_id" bigint, "dataset_id" uuid, "period_tag" text, "object_key" text, "bytes" bigint, "row_count" bigint, "schema_digest" text, "lake_version" smallint, "mapping_id" bigint, "reason" text);

CREATE OR REPLACE FUNCTION public.read_metrics()
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  -- the planner makes no index condition of the volatile clock_timestamp()
  v_now constant timestamptz := clock_timestamp();
  v_top constant integer := 10000;
begin
  return jsonb_build_object(
    'counters', (
      select coalesce(jsonb_agg(to_jsonb(c) order by c.metric, c.label), '[]')
      from (
        select x.metric, x.label, sum(x.events)::bigint as events, sum(x.amount) as amount
        from (
          select t.metric, t.label, t.events, t.amount from public.metric_totals t
          union all
          select d.metric, d.label, d.events, d.amount from public.metric_deltas d
        ) x
        group by x.metric, x.label
      ) c),
    'queues', (
      select jsonb_agg(jsonb_build_object('queue', q.queue, 'messages', q.messages, 'due', q.due,
        'oldest_due_seconds', coalesce(greatest(extract(epoch from v_now - q.oldest_due_at), 0), 0)) order by q.queue)
      from public.queue_status q),
    'debt', (
      select jsonb_build_object('partitions', count(*),
        'oldest_seconds', coalesce(greatest(extract(epoch from v_now - min(x.debt_oldest)), 0), 0))
      from (select p.debt_oldest from public.partitions p where p.debt_oldest is not null
        order by p.debt_oldest limit v_top) x),
    'due_partitions', (select count(*) from (
      select 1 from public.partitions p where p.due_at <= v_now and p.msg_id is null limit v_top) x),
    'dead_partitions', (select count(*) from (
      select 1 from public.partitions p where p.dead_since is not null and p.debt_oldest is not null limit v_top) x),
    'leases', (select count(*) from public.partitions p where p.lease_expires_at > v_now),
    'max_workers', (select s.max_workers from public.service_settings s),
    'breaker_open', (select b.state <> 'closed' from public.circuit_breaker b),
    'incidents', (select coalesce(jsonb_agg(jsonb_build_object('name', i.name, 'open', i.state = 'open')
      order by i.name), '[]') from public.incidents i),
    'dead_letters', (select count(*) from (
      select 1 from public.dead_letters l where l.resolved_at is null limit v_top) x),
    'quarantined_files', (select count(*) from (
      select 1 from public.battle_files f where f.state = 'quarantined' and f.removed_version is null limit v_top) x),
    'lost_files', (select count(*) from (
      select 1 from public.battle_files f where f.lost_since is not null and f.removed_version is null limit v_top) x),
    'deletions', (select count(*) from (
      select 1 from public.deletions d where d.forgotten_at is null and d.state in ('pending', 'marked')
      limit v_top) x),
    'alerts_pending', (select count(*) from (select 1 from public.alerts a where a.state = 'pending' limit v_top) x),
    'store_findings', (select count(*) from (select 1 from public.store_findings limit v_top) x),
    'lake', (
      select jsonb_build_object('files', (select count(*) from (
          select 1 from public.lake_files f where f.end_snapshot is null limit v_top) x),
        'left_out', (select count(*) from (select 1 from public.lake_left_files limit v_top) x),
        'lag_seconds', coalesce((select greatest(extract(epoch from v_now - p.created_at), 0)
          from public.lake_pending p order by p.id limit 1), 0))),
    'objects', (
      with n as (
        select
          (select count(*) from (select 1 from public.objects o
            where o.state = 'staged' and o.put_deadline is not null limit v_top) x) as staged,
          (select count(*) from (select 1 from public.objects o
            where o.delete_after is not null limit v_top) x) as deleting,
          (select count(*) from (select 1 from public.objects o
            where o.state = 'tombstone' and o.delete_after is null limit v_top) x) as tombstones,
          (select greatest(c.reltuples, 0)::bigint from pg_catalog.pg_class c
            where c.oid = 'public.objects'::regclass) as rows
      )
      select jsonb_build_array(
        jsonb_build_object('state', 'staged', 'objects', n.staged),
        jsonb_build_object('state', 'deleting', 'objects', n.deleting),
        jsonb_build_object('state', 'tombstone', 'objects', n.tombstones),
        jsonb_build_object('state', 'stored', 'objects', greatest(n.rows - n.staged - n.deleting - n.tombstones, 0)))
      from n),
    'tables', (
      select jsonb_agg(jsonb_build_object('table', c.relname, 'bytes', pg_catalog.pg_total_relation_size(c.oid),
        'rows', greatest(c.reltuples, 0)::bigint) order by c.relname)
      from pg_catalog.pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
        and c.relname in ('alerts', 'assets', 'battle_files', 'dataset_versions', 'datasets', 'dead_letters', 'deletions',
          'file_schemas', 'idempotency_keys', 'metric_deltas', 'objects', 'partitions', 'processing_metrics', 'run_commits', 'uploads'))
  );
end $function$;

CREATE OR REPLACE FUNCTION sediment.clockwork_faults()
 RETURNS text[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs constant text[] := array['sediment_tick', 'sediment_leases', 'sediment_sweep', 'sediment_history',
    'sediment_scheduled', 'sediment_vacuum', 'sediment_store_check', 'sediment_dead_letters', 'sediment_health', 'sediment_keys',
    'sediment_deletions', 'sediment_ages', 'sediment_rewrites', 'sediment_metrics', 'sediment_cron_log',
    'sediment_lake'];
  v_faults text[] := '{}'::text[];
  v_refused integer;
  v_outdated integer;
begin
  begin
    -- a timeout alone is no fault: a ping does not wait for the work
    with answered as (
      select p.path, r.status_code, r.created, r.content like '%schema_outdated%' as outdated
      from net._http_response r left join public.pings p on p.id = r.id
      where r.created > clock_timestamp() - interval '5 minutes')
    select count(*), count(*) filter (where a.outdated) into strict v_refused, v_outdated
    from answered a where a.status_code >= 400 and not exists (
      select 1 from answered s where s.status_code between 200 and 299
        and (s.path is not distinct from a.path or a.status_code in (401, 403) and s.created > a.created));
    if v_refused > 0 then
      v_faults := v_faults || 'pings_refused'::text;
    end if;
    if v_outdated > 0 then
      v_faults := v_faults || 'schema_outdated'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  begin
    if (select count(*) from cron.job j where j.jobname = any (v_jobs) and j.active) < cardinality(v_jobs) then
      v_faults := v_faults || 'jobs_missing'::text;
    end if;
    if exists (
      select 1 from cron.job j
      cross join lateral (select bool_and(d.status = 'failed') as failed, count(*) as runs from (
        select x.status from cron.job_run_details x where x.jobid = j.jobid and x.status in ('succeeded', 'failed')
        order by x.runid desc limit 3) d) l
      where j.jobname = any (v_jobs) and l.runs = 3 and l.failed)
    then
      v_faults := v_faults || 'jobs_failing'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  return v_faults;
end $function$;

CREATE OR REPLACE FUNCTION sediment.lake_children(p_node jsonb)
 RETURNS TABLE(node jsonb, name text, place bigint)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select c.node, c.node ->> 'name', c.place
  from jsonb_array_elements(case sediment.lake_group(p_node) when 'struct' then p_node -> 'children'
    when 'map' then p_node #> '{children,0,children}' else '[]' end) with ordinality as c(node, place)
  where not p_node ? 'type'
  union all
  select case when e.node ? 'children' and jsonb_array_length(e.node -> 'children') = 1 then e.node -> 'children' -> 0 else e.node end,
    'element', 1
  from (select p_node -> 'children' -> 0 as node) e
  where not p_node ? 'type' and sediment.lake_group(p_node) = 'list'
$function$;

revoke all on function "sediment"."lake_children"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lake_fields(p_schema jsonb)
 RETURNS TABLE(field integer, parent integer, name text, path text[], type text, problem text, size bigint, misnamed text)
 LANGUAGE sql
 IMMUTABLE ROWS 100
 SET search_path TO ''
 SET enable_hashjoin TO 'on'
 SET enable_seqscan TO 'on'
AS $function$
  with recursive walk as (
    select array[c.place::integer] as places, '{}'::integer[] as above, c.node, c.node ->> 'name' as name,
      array[lower(c.node ->> 'name' collate "C")] as path
    from jsonb_array_elements(p_schema -> 'children') with ordinality as c(node, place)
    union all
    select w.places || x.place::integer, w.places, x.node, x.name, w.path || lower(x.name collate "C")
    from walk w cross join lateral sediment.lake_children(w.node) x
    where cardinality(w.places) < 32
  ), numbered as materialized (
    select (row_number() over (order by w.places))::integer as field, w.*,
      case when w.node ? 'type' then sediment.lake_type(w.node ->> 'type', w.node ->> 'logical', w.node ->> 'spelling')
        else sediment.lake_group(w.node) end as type,
      case when octet_length(w.name) > 128 then 'its name is longer than 128 bytes'
        when w.name = '' or w.name ~ '[\u0001-\u001f\u007f]' then 'its name is empty or has control characters'
        when w.path[cardinality(w.path)] like '\_ducklake\_internal%' or w.path[cardinality(w.path)] like '\_\_ducklake%'
          then 'its name is one of DuckLake''s own' end as misnamed
    from walk w
  ), sized as materialized (
    select n.places[1 : k] as places, count(*) as size, max(n.misnamed) as misnamed
    from numbered n cross join lateral generate_series(1, cardinality(n.places)) k
    group by 1
  )
  select n.field, p.field, n.name, n.path, n.type,
    case
      when n.node ->> 'repetition' = 'repeated' and p.type is distinct from 'list' then 'it repeats without being a list'
      when p.field is not null and n.type = 'unknown' then 'it has nothing but nulls, and lies within another'
      when n.type is null
        then format('the lake has no type for %s', left(concat_ws(' ', n.node ->> 'type', n.node ->> 'logical', n.node ->> 'spelling'), 80))
    end,
    s.size, s.misnamed
  from numbered n left join numbered p on p.places = n.above join sized s on s.places = n.places
$function$;

revoke all on function "sediment"."lake_fields"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lake_group(p_node jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case
    when p_node ? 'spelling' then null
    when p_node ->> 'logical' is null then 'struct'
    when jsonb_array_length(p_node -> 'children') <> 1 or r.node ->> 'repetition' <> 'repeated' or r.node ? 'logical' then null
    when p_node ->> 'logical' = 'LIST' and (r.node ? 'type' or jsonb_array_length(r.node -> 'children') > 1
      or r.node ->> 'name' not in ('array', p_node ->> 'name' || '_tuple')
        and r.node #>> '{children,0,repetition}' <> 'repeated') then 'list'
    when p_node ->> 'logical' = 'MAP' and jsonb_array_length(r.node -> 'children') = 2
      and r.node #>> '{children,0,name}' = 'key' and r.node #>> '{children,1,name}' = 'value'
      and r.node #>> '{children,0,repetition}' <> 'repeated' and r.node #>> '{children,1,repetition}' <> 'repeated' then 'map'
  end
  from (select p_node -> 'children' -> 0 as node) r
$function$;

revoke all on function "sediment"."lake_group"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lake_lock()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select 7237970097417219::bigint
$function$;

revoke all on function "sediment"."lake_lock"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lake_type(p_type text, p_logical text, p_spelling text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case
    when p_spelling is not null and not (p_spelling = 'converted' and p_logical ~ '^TIME') then null
    when p_logical is null then case p_type
      when 'BOOLEAN' then 'boolean' when 'INT32' then 'int32' when 'INT64' then 'int64' when 'INT96' then 'timestamp'
      when 'FLOAT' then 'float32' when 'DOUBLE' then 'float64' when 'BYTE_ARRAY' then 'blob'
      else case when p_type like 'FIXED_LEN_BYTE_ARRAY(%' then 'blob' end end
    when p_logical like 'INTEGER(%' then
      case when p_logical like '%,UNSIGNED)' then 'u' else '' end || 'int' || substring(p_logical from '\d+')
    when p_logical like 'DECIMAL(%' then
      case when substring(p_logical from '\d+')::integer <= 38 then lower(p_logical) end
    when p_logical like 'TIMESTAMP(%' then
      case when p_logical like '%,UTC)' and p_spelling is null then 'timestamptz'
        when p_logical like '%(NANOS,%' then 'timestamp_ns' else 'timestamp' end
    when p_logical like 'TIME(%' then
      case when p_logical like '%(NANOS,%' then null when p_logical like '%,UTC)' and p_spelling is null then 'timetz' else 'time' end
    else case p_logical
      when 'STRING' then 'varchar' when 'ENUM' then 'varchar' when 'JSON' then 'json' when 'BSON' then 'blob'
      when 'UUID' then 'uuid' when 'DATE' then 'date' when 'FLOAT16' then 'float32' when 'INTERVAL' then 'interval'
      when 'UNKNOWN' then 'unknown' end
  end
$function$;

revoke all on function "sediment"."lake_type"(text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lake_union(p_one text, p_other text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_types text[] := array[p_one, p_other];
  v_decimal boolean;
  v_digits integer[] := '{}'::integer[];
  v_scale integer[] := '{}'::integer[];
  v_type text;
  v_bits integer[];
  v_signed boolean[];
  v_most integer;
begin
  if p_one = p_other then
    return p_one;
  end if;
  if v_types <@ array['varchar', 'json'] then
    return 'varchar';
  end if;
  if v_types <@ array['float32', 'float64'] then
    return 'float64';
  end if;
  v_decimal := p_one like 'decimal(%' or p_other like 'decimal(%';
  if v_decimal then
    foreach v_type in array v_types loop
      v_digits := v_digits || case when v_type like 'decimal(%' then substring(v_type from '\((\d+)')::integer
        else case v_type when 'int8' then 3 when 'int16' then 5 when 'int32' then 10 when 'int64' then 19
          when 'uint8' then 3 when 'uint16' then 5 end end;
      v_scale := v_scale || case when v_type like 'decimal(%' then substring(v_type from ',(\d+)')::integer else 0 end;
    end loop;
    v_most := greatest(v_digits[1] - v_scale[1], v_digits[2] - v_scale[2]) + greatest(v_scale[1], v_scale[2]);
    return case when array_position(v_digits, null) is null and v_most <= 38
      then format('decimal(%s,%s)', v_most, greatest(v_scale[1], v_scale[2])) end;
  end if;
  v_bits := array[substring(p_one from '^u?int(\d+)$')::integer, substring(p_other from '^u?int(\d+)$')::integer];
  v_signed := array[p_one like 'i%', p_other like 'i%'];
  if v_bits[1] is not null and v_bits[2] is not null then
    if v_signed[1] = v_signed[2] then
      return case when v_signed[1] then '' else 'u' end || 'int' || greatest(v_bits[1], v_bits[2]);
    end if;
    -- an unsigned number needs the next wider signed one
    v_most := greatest(v_bits[1] * case when v_signed[1] then 1 else 2 end, v_bits[2] * case when v_signed[2] then 1 else 2 end);
    return case when v_most <= 64 then 'int' || v_most end;
  end if;
  v_most := coalesce(v_bits[1], v_bits[2]);
  v_type := case when v_bits[1] is null then p_one else p_other end;
  return case when v_type = 'float64' and v_most <= 32 or v_type = 'float32' and v_most <= 16 then v_type end;
end $function$;

revoke all on function "sediment"."lake_union"(text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.map_lake_schema(p_relation public.lake_relations, p_digest text, p_dataset uuid, p_snapshot bigint, p_mapping bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_columns_most constant integer := 2000; -- those of nested ones too
  v_columns_of_one constant integer := 1000; -- that one dataset brought
  -- what readers load of a table's mappings at once, and what of it one dataset may make
  v_fields_most constant integer := 200000;
  v_fields_of_one constant integer := 20000;
  v_left_most constant integer := 1000;
  v_reason text;
  v_next bigint := p_relation.next_column_id;
  v_ids bigint[] := '{}'::bigint[]; -- of each field its column
  v_room integer;
  v_count bigint;
  v_changed boolean := false;
  v_why text;
  v_id bigint;
  v_type text;
  v_schema jsonb;
  f record;
  c public.lake_columns;
begin
  select k.schema into v_schema from public.file_schemas k where k.digest = p_digest;
  if not found then
    v_reason := 'the catalog has no schema of it';
  else
    -- what cannot be read or united is seen before anything is written
    select count(*),
      case when count(*) filter (where y.column_id in (1, 2)) <> 2 then 'it lacks the lake''s columns'
        else (array_agg(format('column %s: %s', left(array_to_string(x.path, '.'), 200),
          coalesce(x.problem, format('%s here, %s in the lake', x.type, y.type))) order by x.field)
          filter (where x.problem is not null
            or y.type is not null and x.type <> 'unknown' and sediment.lake_union(x.type, y.type) is null))[1] end
    into strict v_count, v_reason
    from sediment.lake_fields(v_schema) x
    left join public.lake_columns y on y.relation_id = p_relation.id and y.path = x.path and y.end_snapshot is null;
  end if;
  if v_reason is not null then
    insert into public.lake_schemas (relation_id, schema_digest, reason) values (p_relation.id, p_digest, v_reason);
    return jsonb_build_object('mapped', false, 'changed', false);
  end if;
  if (select coalesce(sum(k.fields), 0) + v_count > v_fields_most
      or coalesce(sum(k.fields) filter (where k.dataset_id = p_dataset), 0) + v_count > v_fields_of_one
    from public.lake_schemas k where k.relation_id = p_relation.id)
  then
    return jsonb_build_object('mapped', false, 'changed', false);
  end if;

  insert into public.lake_schemas (relation_id, schema_digest, mapping_id, fields, dataset_id)
  values (p_relation.id, p_digest, p_mapping, v_count, p_dataset);
  select least(v_columns_most - count(distinct y.column_id),
    v_columns_of_one - count(distinct y.column_id) filter (where y.dataset_id = p_dataset))
  into strict v_room from public.lake_columns y where y.relation_id = p_relation.id;
  for f in select x.* from sediment.lake_fields(v_schema) x order by x.field loop
    -- A column of nulls is one without: what type it has comes with its first value. Below one that is left out there is nothing.
    continue when f.type = 'unknown' or f.parent is not null and v_ids[f.parent] is null;
    select * into c from public.lake_columns y
    where y.relation_id = p_relation.id and y.path = f.path and y.end_snapshot is null;
    if found then
      v_id := c.column_id;
      v_type := sediment.lake_union(f.type, c.type);
      if v_type <> c.type then
        if c.begin_snapshot = p_snapshot then
          update public.lake_columns y set type = v_type
          where y.relation_id = p_relation.id and y.column_id = c.column_id and y.begin_snapshot = p_snapshot;
        else
          update public.lake_columns y set end_snapshot = p_snapshot
          where y.relation_id = p_relation.id and y.column_id = c.column_id and y.begin_snapshot = c.begin_snapshot;
          insert into public.lake_columns (relation_id, column_id, parent_id, path, name, type, begin_snapshot, dataset_id)
          values (c.relation_id, c.column_id, c.parent_id, c.path, c.name, v_type, p_snapshot, c.dataset_id);
        end if;
        v_changed := true;
      end if;
    else
      -- with all that is below it, or not at all: a list without its element is no column
      v_why := coalesce(f.misnamed, case when f.parent is null or v_ids[f.parent] < p_relation.next_column_id then
        case when f.size > v_room then format('the table has %s columns, or %s that one dataset brought', v_columns_most, v_columns_of_one) end
        end);
      if v_why is not null then
        insert into public.lake_left_columns (relation_id, path, dataset_id, reason)
        select p_relation.id, array(select left(x.part, 128) from unnest(f.path) with ordinality as x(part, place) order by x.place),
          p_dataset, v_why
        where (select count(*) from public.lake_left_columns l where l.relation_id = p_relation.id) < v_left_most
        on conflict (relation_id, path) do nothing;
        continue;
      end if;
      v_id := v_next;
      v_next := v_next + 1;
      v_room := v_room - 1;
      insert into public.lake_columns (relation_id, column_id, parent_id, path, name, type, begin_snapshot, dataset_id)
      values (p_relation.id, v_id, v_ids[f.parent], f.path, f.name, f.type, p_snapshot, p_dataset);
      v_changed := true;
    end if;
    v_ids[f.field] := v_id;
    insert into public.lake_mapping_fields (mapping_id, field, parent, name, column_id)
    values (p_mapping, f.field, f.parent, f.name, v_id);
  end loop;
  update public.lake_relations r set next_column_id = v_next where r.id = p_relation.id;
  return jsonb_build_object('mapped', true, 'changed', v_changed);
end $function$;

revoke all on function "sediment"."map_lake_schema"(public.lake_relations, text, uuid, bigint, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.note_lake_file()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.lake_pending (dataset_id, version, file_id, change)
  values (new.dataset_id, case when tg_op = 'INSERT' then new.added_version
      when new.removed_version is distinct from old.removed_version then new.removed_version end,
    new.id, case when new.removed_version is null and new.state = 'active' then 'added' else 'removed' end);
  return null;
end $function$;

revoke all on function "sediment"."note_lake_file"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.note_lake_table()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.lake_pending (change) values ('table');
  return null;
end $function$;

revoke all on function "sediment"."note_lake_table"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.prune_lake(p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_kept bigint;
  v_oldest bigint;
  v_mappings bigint[];
  v_files integer;
begin
  select x.id into v_kept from public.lake_snapshots x
  where x.at <= (select clock_timestamp() - make_interval(secs => s.lake_retention_seconds) from public.service_settings s)
  order by x.at desc limit 1;
  if v_kept is null or not pg_try_advisory_xact_lock(sediment.lake_lock()) then
    return 0;
  end if;
  delete from public.lake_snapshots x where x.id = any (array(
    select y.id from public.lake_snapshots y where y.id < v_kept order by y.id limit p_limit));
  select min(x.id) into strict v_oldest from public.lake_snapshots x;

  with gone as (
    delete from public.lake_files l where l.id = any (array(
      select y.id from public.lake_files y where y.end_snapshot <= v_oldest order by y.end_snapshot limit p_limit))
    returning l.mapping_id
  )
  select count(*), coalesce(array_agg(distinct g.mapping_id), '{}') into strict v_files, v_mappings from gone g;
  -- one that comes again gets another number
  delete from public.lake_schemas k
  where k.mapping_id = any (v_mappings) and not exists (select 1 from public.lake_files l where l.mapping_id = k.mapping_id);
  delete from public.lake_columns c where c.end_snapshot <= v_oldest and exists (
    select 1 from public.lake_columns y where y.relation_id = c.relation_id and y.column_id = c.column_id
      and y.begin_snapshot = c.end_snapshot);
  delete from public.lake_relations x
  where x.end_snapshot <= v_oldest and not exists (select 1 from public.lake_files l where l.relation_id = x.id);
  return v_files;
end $function$;

revoke all on function "sediment"."prune_lake"(integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.prune_pass(p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_before timestamptz;
  v_runs uuid[];
  v_commits integer;
  v_letters integer;
  v_alerts integer;
  v_objects integer;
  v_idle integer;
  v_lake integer;
begin
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  select clock_timestamp() - make_interval(secs => s.history_seconds) into strict v_before
  from public.service_settings s;

  select coalesce(array_agg(x.id), '{}') into strict v_runs from (
    select r.id from public.processing_metrics r
    where r.queued_at < v_before and r.completed_at < v_before
      and (r.status not in ('dlq_failure', 'timeout') or not exists (
        select 1 from public.dead_letters l where l.dataset_id = r.dataset_id and l."table" = r."table"
          and l.period_tag = r.period_tag and l.resolved_at is null and l.run_id = r.id))
    order by r.queued_at limit p_limit for update of r skip locked
  ) x;
  v_idle := sediment.prune_idle_runs(p_limit);
  delete from public.run_children k where k.parent_id = any (v_runs);
  delete from public.run_children k where k.child_id = any (v_runs);
  delete from public.run_commits c where c.run_id = any (v_runs);
  get diagnostics v_commits = row_count;
  delete from public.processing_metrics r where r.id = any (v_runs);

  delete from public.alerts a where a.id = any (array(
    select x.id from public.alerts x where x.created_at < v_before and x.state <> 'pending'
    order by x.created_at limit p_limit for update skip locked));
  get diagnostics v_alerts = row_count;
  delete from public.dead_letters l where l.id = any (array(
    select x.id from public.dead_letters x
    where x.created_at < v_before and (x.resolved_at < v_before or x."table" is null)
      and not exists (select 1 from public.alerts a where a.dead_letter_id = x.id)
      and not exists (select 1 from public.processing_metrics r where r.id = x.run_id)
    order by x.created_at limit p_limit for update skip locked));
  get diagnostics v_letters = row_count;

  delete from public.objects o where o.object_key = any (array(
    select x.object_key from public.objects x
    where x.state = 'tombstone' and x.delete_after is null and x.updated_at < v_before
    order by x.updated_at limit p_limit for update skip locked));
  get diagnostics v_objects = row_count;

  v_lake := sediment.prune_lake(p_limit);
  delete from public.pings p where p.id = any (array(
    select x.id from public.pings x where x.sent_at < clock_timestamp() - interval '1 day'
    order by x.sent_at limit p_limit for update skip locked));

  return jsonb_build_object('runs', cardinality(v_runs), 'commits', v_commits, 'dead_letters', v_letters,
    'alerts', v_alerts, 'objects', v_objects,
    'more', greatest(cardinality(v_runs), v_letters, v_alerts, v_objects, v_idle, v_lake) = p_limit);
end $function$;

CREATE OR REPLACE FUNCTION sediment.publish_lake(p_files integer DEFAULT 5000)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_nothing constant jsonb := '{"snapshot": null, "added": 0, "removed": 0, "left_out": 0, "more": false}';
  v_last public.lake_snapshots;
  v_snapshot bigint;
  v_next bigint;
  v_schema_changed boolean := false;
  v_tables boolean;
  v_added sediment.lake_news[];
  v_ended bigint;
  v_ended_tables bigint := 0;
  v_shown bigint := 0;
  v_left bigint := 0;
  v_more boolean;
  v_mapped jsonb;
  r public.lake_relations;
  t public.lake_tables;
  v record;
begin
  if not exists (select 1 from public.lake_pending) then
    return v_nothing;
  end if;
  if not pg_try_advisory_xact_lock(sediment.lake_lock()) then
    return v_nothing || '{"more": true}'::jsonb;
  end if;
  select * into strict v_last from public.lake_snapshots s order by s.id desc limit 1;
  v_snapshot := v_last.id + 1;
  v_next := v_last.next_file_id;

  delete from public.lake_pending p where p.dataset_id is null;
  v_tables := found;
  if v_tables then
    for r in
      select x.* from public.lake_relations x join public.lake_tables y on y.id = x.lake_table_id
      where x.end_snapshot is null and y.withdrawn_at is not null
    loop
      update public.lake_files l set end_snapshot = v_snapshot where l.relation_id = r.id and l.end_snapshot is null;
      get diagnostics v_ended = row_count;
      v_ended_tables := v_ended_tables + v_ended;
      delete from public.lake_left_files l where l.relation_id = r.id;
      update public.lake_columns c set end_snapshot = v_snapshot where c.relation_id = r.id and c.end_snapshot is null;
      update public.lake_relations x set end_snapshot = v_snapshot where x.id = r.id;
      v_schema_changed := true;
    end loop;
    for t in
      select y.* from public.lake_tables y
      where y.withdrawn_at is null and not exists (
        select 1 from public.lake_relations x where x.lake_table_id = y.id and x.end_snapshot is null)
    loop
      insert into public.lake_relations (lake_table_id, name, begin_snapshot, next_column_id) values (t.id, t.name, v_snapshot, 3)
      returning * into strict r;
      insert into public.lake_columns (relation_id, column_id, path, name, type, begin_snapshot)
      values (r.id, 1, array[lower(t.dataset_column)], t.dataset_column, 'varchar', v_snapshot),
        (r.id, 2, array[lower(t.period_column)], t.period_column, 'varchar', v_snapshot);
      v_schema_changed := true;
    end loop;
  end if;

  with first as materialized (
    select distinct x.dataset_id from (select p.dataset_id from public.lake_pending p order by p.id limit p_files) x
  ), taken as (
    delete from public.lake_pending p where p.dataset_id = any (array(select f.dataset_id from first f))
    returning p.file_id
  ), before as (
    select x.id as relation_id, f.id as file_id
    from public.lake_relations x
    cross join lateral (
      select y.id from public.battle_files y
      where y."table" = x.name and y.lake_version is not null and y.removed_version is null and y.id > x.after_file
      order by y.id limit p_files) f
    where x.end_snapshot is null and x.after_file is not null
  ), walked as (
    update public.lake_relations x
    set after_file = (select max(b.file_id) from before b where b.relation_id = x.id having count(*) = p_files)
    where x.end_snapshot is null and x.after_file is not null
    returning x.after_file
  ), seen as (
    select n.file_id, f.dataset_id, f.period_tag, f.object_key, f.byte_length, f.row_count, f.schema_digest, f.lake_version,
      x.id as relation_id, l.id as shown_id, l.object_key as shown_key, f.id is not null and x.id is not null as is_there
    from (select k.file_id from taken k union select b.file_id from before b) n
    left join lateral (
      select * from public.battle_files y
      where y.id = n.file_id and y.removed_version is null and y.state = 'active' and y.lake_version is not null
      offset 0) f on true
    left join lateral (
      select y.id from public.lake_relations y where y.name = f."table" and y.end_snapshot is null offset 0) x on true
    left join lateral (
      select y.id, y.object_key from public.lake_files y where y.battle_file = n.file_id and y.end_snapshot is null
      offset 0) l on true
  ), ended as (
    update public.lake_files l set end_snapshot = v_snapshot
    from seen s where l.id = s.shown_id and (not s.is_there or s.object_key <> s.shown_key)
    returning 1
  ), unleft as (
    delete from public.lake_left_files l using seen s where l.battle_file = s.file_id
    returning 1
  )
  select array(
      select row(s.file_id, s.relation_id, s.dataset_id, s.period_tag, s.object_key, s.byte_length, s.row_count,
        s.schema_digest, s.lake_version, null, null)::sediment.lake_news
      from seen s where s.is_there and s.object_key is distinct from s.shown_key),
    (select count(*) from ended), exists (select 1 from walked w where w.after_file is not null)
  into strict v_added, v_ended, v_more;
  v_ended := v_ended + v_ended_tables;

  -- each schema that is new to its table, in the order of its first file
  for v in
    select n.relation_id, n.schema_digest, (array_agg(n.dataset_id order by n.battle_file))[1] as dataset_id
    from unnest(v_added) n
    where n.lake_version = 1 and n.schema_digest is not null and not exists (
      select 1 from public.lake_schemas k where k.relation_id = n.relation_id and k.schema_digest = n.schema_digest)
    group by n.relation_id, n.schema_digest
    order by min(n.battle_file)
  loop
    select * into strict r from public.lake_relations x where x.id = v.relation_id;
    v_mapped := sediment.map_lake_schema(r, v.schema_digest, v.dataset_id, v_snapshot, v_next);
    v_next := v_next + (v_mapped ->> 'mapped')::boolean::integer;
    v_schema_changed := v_schema_changed or (v_mapped ->> 'changed')::boolean;
  end loop;

  v_added := array(
    select row(n.battle_file, n.relation_id, n.dataset_id, n.period_tag, n.object_key, n.bytes, n.row_count, n.schema_digest,
      n.lake_version, k.mapping_id,
      case when n.lake_version <> 1 then 'a column of its own has the name of one of the lake''s, or it has as many as a file may'
        when n.schema_digest is null then 'the catalog has no schema of it' when k.found then k.reason
        else 'the table, or its dataset, has too many schemas' end)::sediment.lake_news
    from unnest(v_added) n
    left join lateral (
      select y.mapping_id, y.reason, true as found from public.lake_schemas y
      where y.relation_id = n.relation_id and y.schema_digest = n.schema_digest and n.lake_version = 1 offset 0) k on true);
  insert into public.lake_left_files (battle_file, relation_id, dataset_id, reason)
  select n.battle_file, n.relation_id, n.dataset_id, n.reason from unnest(v_added) n where n.reason is not null;
  get diagnostics v_left = row_count;

  insert into public.lake_files (id, relation_id, battle_file, begin_snapshot, dataset_id, period_tag, object_key, bytes,
    row_count, row_id_start, mapping_id)
  select v_next - 1 + row_number() over w, n.relation_id, n.battle_file, v_snapshot, n.dataset_id, n.period_tag, n.object_key,
    n.bytes, n.row_count,
    x.next_row_id + (sum(n.row_count) over (partition by n.relation_id order by n.dataset_id, n.battle_file))::bigint - n.row_count,
    n.mapping_id
  from unnest(v_added) n join public.lake_relations x on x.id = n.relation_id
  where n.reason is null
  window w as (order by n.relation_id, n.dataset_id, n.battle_file);
  get diagnostics v_shown = row_count;
  v_next := v_next + v_shown;
  update public.lake_relations x
  set next_row_id = x.next_row_id + s.rows, file_bytes = x.file_bytes + s.bytes,
    dataset_min = least(x.dataset_min, s.dataset_min), dataset_max = greatest(x.dataset_max, s.dataset_max),
    period_min = least(x.period_min, s.period_min), period_max = greatest(x.period_max, s.period_max)
  from (
    select n.relation_id, sum(n.row_count) as rows, sum(n.bytes) as bytes, min(n.dataset_id::text collate "C") as dataset_min,
      max(n.dataset_id::text collate "C") as dataset_max, min(n.period_tag collate "C") as period_min,
      max(n.period_tag collate "C") as period_max
    from unnest(v_added) n where n.reason is null group by n.relation_id
  ) s
  where x.id = s.relation_id;

  if v_more then
    insert into public.lake_pending (change) values ('table');
  end if;
  if v_shown > 0 or v_ended > 0 or v_schema_changed then
    insert into public.lake_snapshots (id, at, schema_version, next_file_id)
    values (v_snapshot, greatest(clock_timestamp(), v_last.at + interval '1 microsecond'),
      v_last.schema_version + v_schema_changed::integer, v_next);
  else
    v_snapshot := null;
  end if;
  return jsonb_build_object('snapshot', v_snapshot, 'added', v_shown, 'removed', v_ended, 'left_out', v_left,
    'more', exists (select 1 from public.lake_pending));
end $function$;

revoke all on function "sediment"."publish_lake"(integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.purge_lake(p_files bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform pg_advisory_xact_lock_shared(sediment.lake_lock());
  delete from public.lake_files l where l.battle_file = any (p_files);
  delete from public.lake_left_files l where l.battle_file = any (p_files);
end $function$;

revoke all on function "sediment"."purge_lake"(bigint[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.purge_removed(x public.deletions, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_reason constant text := 'deletion ' || x.id;
  v_now timestamptz := clock_timestamp();
  v_keys text[];
  v_dropped bigint;
  v_bytes bigint;
  v_of_lake bigint[];
begin
  perform 1 from public.datasets d where d.id = x.dataset_id for no key update;
  with dropped as (
    delete from public.battle_files f
    where f.id = any (array(
      select y.id from public.battle_files y
      where y.dataset_id = x.dataset_id and y.removed_version <= x.version and y.added_version < x.version
        and (x.upload_id is null or y.upload_id = x.upload_id or y.level > 0 and exists (
          select 1 from public.deleted_slices s
          where s.deletion_id = x.id and s."table" = y."table" and s.period_tag = y.period_tag
            and sediment.seqs_of(y) @> s.seq))
        and (x."table" is null or y."table" = x."table") and (x.period_tag is null or y.period_tag = x.period_tag)
      order by y.removed_version limit p_limit))
    returning f.object_key, f.byte_length, f.id, f.lake_version
  )
  select coalesce(array_agg(distinct y.object_key), '{}'), count(*), coalesce(sum(y.byte_length), 0),
    array_agg(y.id) filter (where y.lake_version is not null)
  into strict v_keys, v_dropped, v_bytes, v_of_lake from dropped y;
  if v_of_lake is not null then
    perform sediment.purge_lake(v_of_lake);
  end if;
  update public.datasets d set retired_bytes = greatest(d.retired_bytes - v_bytes, 0) where d.id = x.dataset_id;
  perform sediment.retire_object(k.key, v_reason, '0') from unnest(v_keys) as k(key)
  where not exists (select 1 from public.battle_files f where f.object_key = k.key);
  if v_dropped >= p_limit then
    return v_dropped;
  end if;

  update public.objects o
  set delete_after = v_now, delete_reason = v_reason, updated_at = v_now
  where o.object_key = any (array(
    select y.object_key from public.objects y
    where y.delete_after > v_now and y.state = 'deleting' and y.kind in ('fragment', 'compacted', 'incoming')
      and x.upload_id is null and y.dataset_id = x.dataset_id and (x."table" is null or y."table" = x."table")
      and (x.period_tag is null or y.period_tag = x.period_tag)
      and not exists (select 1 from public.battle_files f where f.object_key = y.object_key)
    for update skip locked));
  -- what is staged can't be committed any more: by the version of its stage, by the token of its run
  perform sediment.discard_object(y.object_key, v_reason) from (
    select z.object_key from public.objects z
    where z.state = 'staged' and z.put_deadline is not null and z.dataset_id = x.dataset_id and x.upload_id is null
      and (x."table" is null or z."table" = x."table") and (x.period_tag is null or z.period_tag = x.period_tag)
      and (z.kind = 'fragment' and z.staged_version < x.version or z.kind = 'compacted' and exists (
        select 1 from public.partitions p where p.dataset_id = z.dataset_id and p."table" = z."table"
          and p.period_tag = z.period_tag and p.token > z.token))
    order by z.object_key for update skip locked) y;
  update public.deletions y set state = 'purging' where y.id = x.id;
  return v_dropped;
end $function$;

CREATE OR REPLACE FUNCTION sediment.run_vacuum(p_limit integer, p_dataset uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  -- their rows are locked until the slice ends: few at a time, or uploads wait
  v_datasets constant integer := least(p_limit, 50);
  v_interval interval;
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  v_now timestamptz := clock_timestamp();
  d public.datasets;
  v_seen integer := 0;
  v_step jsonb;
  v_versions jsonb := '[]'::jsonb;
  v_keys text[];
  v_dropped integer := 0;
  v_bytes bigint;
  v_delete jsonb;
begin
  select make_interval(secs => s.vacuum_interval_seconds) into strict v_interval from public.service_settings s;

  for d in
    select * from public.datasets x
    where x.vacuumed_at <= v_now - v_interval and (p_dataset is null or x.id = p_dataset)
    order by x.vacuumed_at limit v_datasets
    for no key update skip locked
  loop
    v_seen := v_seen + 1;
    v_step := sediment.advance_versions(d);
    if v_step is not null then
      v_versions := v_versions || v_step;
    end if;
    select x.* into strict d from public.datasets x where x.id = d.id;

    with dropped as (
      delete from public.battle_files f
      where f.id = any (array(
        select x.id from public.battle_files x
        where x.dataset_id = d.id and x.removed_version <= d.vacuumable_version
          -- what a kept snapshot of the lake shows, or may still come to show
          and (x.lake_version is null or not exists (select 1 from public.lake_files l where l.battle_file = x.id)
            and not exists (select 1 from public.lake_pending n where n.file_id = x.id))
        order by x.removed_version limit greatest(p_limit - v_dropped, 0)))
      returning f.object_key, f.byte_length
    )
    select coalesce(array_agg(distinct x.object_key), '{}'), v_dropped + count(*), coalesce(sum(x.byte_length), 0)
    into strict v_keys, v_dropped, v_bytes from dropped x;
    if v_bytes > 0 then
      update public.datasets x set retired_bytes = greatest(x.retired_bytes - v_bytes, 0) where x.id = d.id;
    end if;
    perform sediment.retire_object(k.key, format('no version since %s shows it', d.oldest_kept_version), '0')
    from unnest(v_keys) as k(key)
    where not exists (select 1 from public.battle_files f where f.object_key = k.key);
    -- The slice ended inside this dataset: it is due still, behind all that have waited for longer, so that one with much
    -- to drop does not take every slice.
    if v_dropped >= p_limit then
      update public.datasets x set vacuumed_at = v_now - v_interval where x.id = d.id;
      exit;
    end if;
  end loop;

  v_now := clock_timestamp();
  with due as (
    select o.object_key from public.objects o
    where o.delete_after <= v_now and o.state in ('deleting', 'tombstone')
      and (p_dataset is null or o.dataset_id = p_dataset)
    order by o.delete_after limit p_limit
    for update skip locked
  ), handed as (
    update public.objects o
    set delete_after = clock_timestamp() + interval '10 minutes', updated_at = clock_timestamp()
    from due x where o.object_key = x.object_key
    returning o.object_key, o.kind, o.state, o.size, o.delete_reason
  )
  select coalesce(jsonb_agg(jsonb_build_object('object_key', h.object_key, 'kind', h.kind, 'state', h.state,
    'size', h.size, 'reason', h.delete_reason) order by h.object_key), '[]')
  into strict v_delete from handed h;

  return jsonb_build_object('versions', v_versions, 'files_dropped', v_dropped, 'delete', v_delete,
    'more', v_seen >= v_datasets or v_dropped >= p_limit or jsonb_array_length(v_delete) >= p_limit);
end $function$;

CREATE OR REPLACE FUNCTION sediment.watch_troubles(p_quotas boolean DEFAULT NULL::boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  -- the planner makes no index condition of the volatile clock_timestamp()
  v_now constant timestamptz := clock_timestamp();
  s public.service_settings;
  v_troubles jsonb := '{}'::jsonb;
  v_opened text[] := '{}'::text[];
  v_closed text[] := '{}'::text[];
  v_count bigint;
  v_text text;
  v_since timestamptz;
  v_name text;
begin
  if current_setting('transaction_read_only') = 'on' then
    return jsonb_build_object('opened', v_opened, 'closed', v_closed);
  end if;
  select * into strict s from public.service_settings;

  select count(*), string_agg(distinct x.quarantine_code, ', ') into strict v_count, v_text
  from (select f.quarantine_code, f.quarantined_at from public.battle_files f
    where f.state = 'quarantined' and f.removed_version is null limit 10000) x
  where x.quarantined_at > v_now - make_interval(secs => s.alert_window_seconds);
  if v_count > 0 then
    v_troubles := v_troubles || jsonb_build_object('quarantine',
      format('Sediment set files aside that no merge could take: %s', v_text));
  end if;

  select min(p.ready_at) into strict v_since from public.partitions p
  where p.msg_id is not null and p.lease_expires_at is null
    and p.ready_at < v_now - make_interval(secs => s.lag_alert_seconds);
  if v_since is not null and (select b.state from public.circuit_breaker b) = 'closed' and s.max_workers > 0 then
    v_troubles := v_troubles || jsonb_build_object('lag_over',
      format('Sediment is behind: work that is due since %s has no worker', date_trunc('second', v_since)));
  end if;

  select min(d.requested_at) into strict v_since from public.deletions d
  where d.forgotten_at is null and d.state in ('pending', 'marked') and d.requested_at < v_now - interval '1 hour';
  if v_since is null then
    select min(o.delete_after) into strict v_since from public.objects o
    where o.state = 'deleting' and o.delete_after < v_now - interval '1 day';
  end if;
  if v_since is not null then
    v_troubles := v_troubles || jsonb_build_object('deletions_overdue',
      format('Sediment has not deleted what is to be gone since %s', date_trunc('second', v_since)));
  end if;

  select p.created_at into v_since from public.lake_pending p order by p.id limit 1;
  if v_since < v_now - make_interval(secs => s.lag_alert_seconds) then
    v_troubles := v_troubles || jsonb_build_object('lake_late',
      format('Sediment has not shown the lake what was committed since %s', date_trunc('second', v_since)));
  end if;

  if coalesce(p_quotas, extract(minute from v_now)::integer % 10 = 0) then
    select count(*), string_agg(x.user_id::text, ', ' order by x.user_id) filter (where x.n <= 3)
    into strict v_count, v_text
    from (
      select u.user_id, row_number() over (order by u.user_id) as n
      from (select y.user_id from public.user_usage y where y.minute_start > v_now - interval '1 day' limit 10000) u
      left join public.user_limits l on l.user_id = u.user_id
      where sediment.stored_bytes(u.user_id) > 0.9 * coalesce(l.stored_bytes_max, s.stored_bytes_max)
    ) x;
    if v_count > 0 then
      v_troubles := v_troubles || jsonb_build_object('quota_near',
        format('%s of Sediment''s users have stored over 90 %% of what they may: %s', v_count, v_text));
    end if;
  else
    v_troubles := v_troubles || coalesce((select jsonb_build_object(i.name, i.summary) from public.incidents i
      where i.name = 'quota_near' and i.state = 'open'), '{}');
  end if;

  for v_name, v_text in select t.key, t.value from jsonb_each_text(v_troubles) t order by t.key loop
    if sediment.open_incident(v_name, v_text) then
      v_opened := v_opened || v_name;
    end if;
  end loop;
  for v_name in
    select i.name from public.incidents i
    where i.state = 'open' and i.name in ('quarantine', 'lag_over', 'deletions_overdue', 'quota_near', 'lake_late')
      and not v_troubles ? i.name
    order by i.name
  loop
    perform sediment.close_incident(v_name);
    v_closed := v_closed || v_name;
  end loop;
  return jsonb_build_object('opened', v_opened, 'closed', v_closed);
end $function$;

ALTER TABLE "public"."lake_relations" ADD CONSTRAINT "lake_relations_lake_table_id_fkey" FOREIGN KEY (lake_table_id) REFERENCES public.lake_tables(id);

ALTER TABLE "public"."lake_columns" ADD CONSTRAINT "lake_columns_relation_id_fkey" FOREIGN KEY (relation_id) REFERENCES public.lake_relations(id) ON DELETE CASCADE;

ALTER TABLE "public"."lake_files" ADD CONSTRAINT "lake_files_relation_id_fkey" FOREIGN KEY (relation_id) REFERENCES public.lake_relations(id) ON DELETE CASCADE;

ALTER TABLE "public"."lake_left_columns" ADD CONSTRAINT "lake_left_columns_relation_id_fkey" FOREIGN KEY (relation_id) REFERENCES public.lake_relations(id) ON DELETE CASCADE;

ALTER TABLE "public"."lake_left_files" ADD CONSTRAINT "lake_left_files_relation_id_fkey" FOREIGN KEY (relation_id) REFERENCES public.lake_relations(id) ON DELETE CASCADE;

ALTER TABLE "public"."lake_mapping_fields" ADD CONSTRAINT "lake_mapping_fields_mapping_id_fkey" FOREIGN KEY (mapping_id) REFERENCES public.lake_schemas(mapping_id) ON DELETE CASCADE;

ALTER TABLE "public"."lake_schemas" ADD CONSTRAINT "lake_schemas_relation_id_fkey" FOREIGN KEY (relation_id) REFERENCES public.lake_relations(id) ON DELETE CASCADE;

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_lake_retention_seconds_check" CHECK ((lake_retention_seconds >= 0));

CREATE VIEW "lake"."ducklake_column_mapping" AS  SELECT mapping_id,
    relation_id AS table_id,
    'map_by_name'::text AS type
   FROM public.lake_schemas k
  WHERE (mapping_id IS NOT NULL);

CREATE VIEW "lake"."ducklake_column_tag" AS  SELECT NULL::bigint AS table_id,
    NULL::bigint AS column_id,
    NULL::bigint AS begin_snapshot,
    NULL::bigint AS end_snapshot,
    NULL::text AS key,
    NULL::text AS value
  WHERE false;

CREATE VIEW "lake"."ducklake_column" AS  SELECT column_id,
    begin_snapshot,
    end_snapshot,
    relation_id AS table_id,
    column_id AS column_order,
    name AS column_name,
    type AS column_type,
    NULL::text AS initial_default,
    NULL::text AS default_value,
    true AS nulls_allowed,
    parent_id AS parent_column,
    'literal'::text AS default_value_type,
    NULL::text AS default_value_dialect
   FROM public.lake_columns c;

CREATE VIEW "lake"."ducklake_data_file" AS  SELECT id AS data_file_id,
    relation_id AS table_id,
    begin_snapshot,
    end_snapshot,
    NULL::bigint AS file_order,
    (( SELECT (('s3://'::text || s.storage_bucket) || '/'::text)
           FROM public.service_settings s
          WHERE s.id) || object_key) AS path,
    false AS path_is_relative,
    'parquet'::text AS file_format,
    row_count AS record_count,
    bytes AS file_size_bytes,
    NULL::bigint AS footer_size,
    row_id_start,
    NULL::bigint AS partition_id,
    NULL::text AS encryption_key,
    mapping_id,
    NULL::bigint AS partial_max
   FROM public.lake_files f;

CREATE VIEW "lake"."ducklake_delete_file" AS  SELECT NULL::bigint AS delete_file_id,
    NULL::bigint AS table_id,
    NULL::bigint AS begin_snapshot,
    NULL::bigint AS end_snapshot,
    NULL::bigint AS data_file_id,
    NULL::text AS path,
    NULL::boolean AS path_is_relative,
    NULL::text AS format,
    NULL::bigint AS delete_count,
    NULL::bigint AS file_size_bytes,
    NULL::bigint AS footer_size,
    NULL::text AS encryption_key,
    NULL::bigint AS partial_max
  WHERE false;

CREATE VIEW "lake"."ducklake_file_column_stats" AS  SELECT f.id AS data_file_id,
    f.relation_id AS table_id,
    (1)::bigint AS column_id,
    NULL::bigint AS column_size_bytes,
    f.row_count AS value_count,
    (0)::bigint AS null_count,
    (f.dataset_id)::text AS min_value,
    (f.dataset_id)::text AS max_value,
    NULL::boolean AS contains_nan,
    NULL::text AS extra_stats
   FROM public.lake_files f
UNION ALL
 SELECT f.id AS data_file_id,
    f.relation_id AS table_id,
    (2)::bigint AS column_id,
    NULL::bigint AS column_size_bytes,
    f.row_count AS value_count,
    (0)::bigint AS null_count,
    f.period_tag AS min_value,
    f.period_tag AS max_value,
    NULL::boolean AS contains_nan,
    NULL::text AS extra_stats
   FROM public.lake_files f;

CREATE VIEW "lake"."ducklake_file_partition_value" AS  SELECT NULL::bigint AS data_file_id,
    NULL::bigint AS table_id,
    NULL::bigint AS partition_key_index,
    NULL::text AS partition_value
  WHERE false;

CREATE VIEW "lake"."ducklake_file_variant_stats" AS  SELECT NULL::bigint AS data_file_id,
    NULL::bigint AS table_id,
    NULL::bigint AS column_id,
    NULL::text AS variant_path,
    NULL::text AS shredded_type,
    NULL::bigint AS column_size_bytes,
    NULL::bigint AS value_count,
    NULL::bigint AS null_count,
    NULL::text AS min_value,
    NULL::text AS max_value,
    NULL::boolean AS contains_nan,
    NULL::text AS extra_stats
  WHERE false;

CREATE VIEW "lake"."ducklake_files_scheduled_for_deletion" AS  SELECT NULL::bigint AS data_file_id,
    NULL::text AS path,
    NULL::boolean AS path_is_relative,
    NULL::timestamp with time zone AS schedule_start
  WHERE false;

CREATE VIEW "lake"."ducklake_inlined_data_tables" AS  SELECT NULL::bigint AS table_id,
    NULL::text AS table_name,
    NULL::bigint AS schema_version
  WHERE false;

CREATE VIEW "lake"."ducklake_macro_impl" AS  SELECT NULL::bigint AS macro_id,
    NULL::bigint AS impl_id,
    NULL::text AS dialect,
    NULL::text AS sql,
    NULL::text AS type
  WHERE false;

CREATE VIEW "lake"."ducklake_macro_parameters" AS  SELECT NULL::bigint AS macro_id,
    NULL::bigint AS impl_id,
    NULL::bigint AS column_id,
    NULL::text AS parameter_name,
    NULL::text AS parameter_type,
    NULL::text AS default_value,
    NULL::text AS default_value_type
  WHERE false;

CREATE VIEW "lake"."ducklake_macro" AS  SELECT NULL::bigint AS schema_id,
    NULL::bigint AS macro_id,
    NULL::text AS macro_name,
    NULL::bigint AS begin_snapshot,
    NULL::bigint AS end_snapshot
  WHERE false;

CREATE VIEW "lake"."ducklake_metadata" AS  SELECT key,
    value,
    NULL::text AS scope,
    NULL::bigint AS scope_id
   FROM ( VALUES ('version'::text,'1.0'::text), ('created_by'::text,'Sediment'::text), ('encrypted'::text,'false'::text), ('data_path'::text,(('s3://'::text || ( SELECT s.storage_bucket
                   FROM public.service_settings s
                  WHERE s.id)) || '/'::text))) m(key, value);

CREATE VIEW "lake"."ducklake_name_mapping" AS  SELECT mapping_id,
    (field)::bigint AS column_id,
    name AS source_name,
    column_id AS target_field_id,
    (parent)::bigint AS parent_column,
    false AS is_partition
   FROM public.lake_mapping_fields m;

CREATE VIEW "lake"."ducklake_partition_column" AS  SELECT NULL::bigint AS partition_id,
    NULL::bigint AS table_id,
    NULL::bigint AS partition_key_index,
    NULL::bigint AS column_id,
    NULL::text AS transform
  WHERE false;

CREATE VIEW "lake"."ducklake_partition_info" AS  SELECT NULL::bigint AS partition_id,
    NULL::bigint AS table_id,
    NULL::bigint AS begin_snapshot,
    NULL::bigint AS end_snapshot
  WHERE false;

CREATE VIEW "lake"."ducklake_schema_versions" AS  SELECT begin_snapshot,
    schema_version,
    table_id
   FROM ( SELECT min(x.id) AS begin_snapshot,
            x.schema_version,
            r.id AS table_id
           FROM (public.lake_snapshots x
             JOIN public.lake_relations r ON ((r.begin_snapshot <= x.id)))
          GROUP BY x.schema_version, r.id) s;

CREATE VIEW "lake"."ducklake_schema" AS  SELECT (0)::bigint AS schema_id,
    '5ed1e27a-0000-4000-8000-000000000000'::uuid AS schema_uuid,
    (0)::bigint AS begin_snapshot,
    NULL::bigint AS end_snapshot,
    'main'::text AS schema_name,
    ''::text AS path,
    true AS path_is_relative;

CREATE VIEW "lake"."ducklake_snapshot_changes" AS  SELECT id AS snapshot_id,
    ''::text AS changes_made,
    NULL::text AS author,
    NULL::text AS commit_message,
    NULL::text AS commit_extra_info
   FROM public.lake_snapshots s;

CREATE VIEW "lake"."ducklake_snapshot" AS  SELECT id AS snapshot_id,
    at AS snapshot_time,
    schema_version,
    (1000000000)::bigint AS next_catalog_id,
    next_file_id
   FROM public.lake_snapshots s;

CREATE VIEW "lake"."ducklake_sort_expression" AS  SELECT NULL::bigint AS sort_id,
    NULL::bigint AS table_id,
    NULL::bigint AS sort_key_index,
    NULL::text AS expression,
    NULL::text AS dialect,
    NULL::text AS sort_direction,
    NULL::text AS null_order
  WHERE false;

CREATE VIEW "lake"."ducklake_sort_info" AS  SELECT NULL::bigint AS sort_id,
    NULL::bigint AS table_id,
    NULL::bigint AS begin_snapshot,
    NULL::bigint AS end_snapshot
  WHERE false;

CREATE VIEW "lake"."ducklake_table_column_stats" AS  SELECT r.id AS table_id,
    (1)::bigint AS column_id,
    false AS contains_null,
    NULL::boolean AS contains_nan,
    r.dataset_min AS min_value,
    r.dataset_max AS max_value,
    NULL::text AS extra_stats
   FROM public.lake_relations r
  WHERE (r.next_row_id > 0)
UNION ALL
 SELECT r.id AS table_id,
    (2)::bigint AS column_id,
    false AS contains_null,
    NULL::boolean AS contains_nan,
    r.period_min AS min_value,
    r.period_max AS max_value,
    NULL::text AS extra_stats
   FROM public.lake_relations r
  WHERE (r.next_row_id > 0);

CREATE VIEW "lake"."ducklake_table_stats" AS  SELECT id AS table_id,
    next_row_id AS record_count,
    next_row_id,
    file_bytes AS file_size_bytes
   FROM public.lake_relations r
  WHERE (next_row_id > 0);

CREATE VIEW "lake"."ducklake_table" AS  SELECT id AS table_id,
    uuid AS table_uuid,
    begin_snapshot,
    end_snapshot,
    (0)::bigint AS schema_id,
    name AS table_name,
    ''::text AS path,
    true AS path_is_relative
   FROM public.lake_relations r;

CREATE VIEW "lake"."ducklake_tag" AS  SELECT NULL::bigint AS object_id,
    NULL::bigint AS begin_snapshot,
    NULL::bigint AS end_snapshot,
    NULL::text AS key,
    NULL::text AS value
  WHERE false;

CREATE VIEW "lake"."ducklake_view" AS  SELECT NULL::bigint AS view_id,
    NULL::uuid AS view_uuid,
    NULL::bigint AS begin_snapshot,
    NULL::bigint AS end_snapshot,
    NULL::bigint AS schema_id,
    NULL::text AS view_name,
    NULL::text AS dialect,
    NULL::text AS sql,
    NULL::text AS column_aliases
  WHERE false;

CREATE VIEW "public"."lake_left_out" WITH (security_invoker=true) AS  SELECT r.name AS lake_table,
    'file'::text AS kind,
    l.dataset_id,
    l.battle_file AS file_id,
    NULL::text AS column_name,
    l.reason,
    l.left_at
   FROM (public.lake_left_files l
     JOIN public.lake_relations r ON ((r.id = l.relation_id)))
UNION ALL
 SELECT r.name AS lake_table,
    'column'::text AS kind,
    l.dataset_id,
    NULL::bigint AS file_id,
    array_to_string(l.path, '.'::text) AS column_name,
    l.reason,
    l.left_at
   FROM (public.lake_left_columns l
     JOIN public.lake_relations r ON ((r.id = l.relation_id)))
  WHERE (r.end_snapshot IS NULL);

revoke all on "public"."lake_left_out" from public, anon, authenticated, service_role;

CREATE UNIQUE INDEX lake_columns_path ON public.lake_columns USING btree (relation_id, path) WHERE (end_snapshot IS NULL);

CREATE INDEX lake_files_ended ON public.lake_files USING btree (end_snapshot) WHERE (end_snapshot IS NOT NULL);

CREATE INDEX lake_files_file ON public.lake_files USING btree (battle_file);

CREATE INDEX lake_files_mapping ON public.lake_files USING btree (mapping_id);

CREATE INDEX lake_files_relation ON public.lake_files USING btree (relation_id);

CREATE UNIQUE INDEX lake_files_shown ON public.lake_files USING btree (battle_file) WHERE (end_snapshot IS NULL);

CREATE INDEX lake_left_files_relation ON public.lake_left_files USING btree (relation_id);

CREATE INDEX lake_pending_dataset ON public.lake_pending USING btree (dataset_id);

CREATE INDEX lake_pending_file ON public.lake_pending USING btree (file_id) WHERE (file_id IS NOT NULL);

CREATE UNIQUE INDEX lake_relations_shown ON public.lake_relations USING btree (lake_table_id) WHERE (end_snapshot IS NULL);

CREATE INDEX lake_snapshots_at ON public.lake_snapshots USING btree (at);

CREATE TRIGGER note_lake_file_added AFTER INSERT ON public.battle_files FOR EACH ROW WHEN ((new.lake_version IS NOT NULL)) EXECUTE FUNCTION sediment.note_lake_file();

CREATE TRIGGER note_lake_file_changed AFTER UPDATE OF removed_version, state, object_key, lake_version, schema_digest ON public.battle_files FOR EACH ROW WHEN ((((old.lake_version IS NOT NULL) OR (new.lake_version IS NOT NULL)) AND ((old.removed_version IS DISTINCT FROM new.removed_version) OR (old.state <> new.state) OR (old.object_key <> new.object_key) OR (old.lake_version IS DISTINCT FROM new.lake_version) OR (old.schema_digest IS DISTINCT FROM new.schema_digest)))) EXECUTE FUNCTION sediment.note_lake_file();

CREATE TRIGGER note_lake_table AFTER INSERT OR UPDATE OF withdrawn_at ON public.lake_tables FOR EACH STATEMENT EXECUTE FUNCTION sediment.note_lake_table();

CREATE POLICY "service_all" ON "public"."lake_columns" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."lake_files" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."lake_left_columns" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."lake_left_files" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."lake_mapping_fields" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."lake_pending" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."lake_relations" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."lake_schemas" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."lake_snapshots" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON COLUMN "public"."service_settings"."lake_retention_seconds" IS 'How long the lake''s snapshots are kept, which queries that have begun and time travel read; no vacuum takes a file that one of them shows. Unit: seconds. Default: 86400 (1 day).';

REVOKE ALL ON FUNCTION "sediment"."lake_children"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lake_children"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lake_fields"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lake_fields"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lake_group"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lake_group"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lake_lock"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lake_lock"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lake_type"(text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lake_type"(text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lake_union"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lake_union"(text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."map_lake_schema"(public.lake_relations, text, uuid, bigint, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."map_lake_schema"(public.lake_relations, text, uuid, bigint, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."note_lake_file"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."note_lake_file"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."note_lake_table"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."note_lake_table"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."prune_lake"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."prune_lake"(integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."publish_lake"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."publish_lake"(integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."purge_lake"(bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."purge_lake"(bigint[]) TO "service_role";

GRANT USAGE ON SCHEMA "lake" TO "sediment_lake";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_columns" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_files" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_left_columns" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_left_files" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_mapping_fields" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_pending" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_relations" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_schemas" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_snapshots" TO "service_role";

GRANT SELECT ON TABLE "lake"."ducklake_column" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_column_mapping" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_column_tag" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_data_file" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_delete_file" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_file_column_stats" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_file_partition_value" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_file_variant_stats" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_files_scheduled_for_deletion" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_inlined_data_tables" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_macro" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_macro_impl" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_macro_parameters" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_metadata" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_name_mapping" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_partition_column" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_partition_info" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_schema" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_schema_versions" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_snapshot" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_snapshot_changes" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_sort_expression" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_sort_info" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_table" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_table_column_stats" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_table_stats" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_tag" TO "sediment_lake";

GRANT SELECT ON TABLE "lake"."ducklake_view" TO "sediment_lake";

GRANT SELECT ON TABLE "public"."lake_left_out" TO "service_role";

select cron.schedule('sediment_lake', '30 seconds', 'select sediment.publish_lake()');

-- readers want one
insert into public.lake_snapshots (id, at, schema_version, next_file_id) values (0, clock_timestamp(), 0, 1)
on conflict (id) do nothing;
