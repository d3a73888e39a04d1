-- Numbers claims of Iceberg metadata from one sequence, and judges schemas in the publication that brings them.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "sediment"."iceberg_type"(text);

DROP FUNCTION "sediment"."judge_lake_schemas"(bigint);

DROP FUNCTION "sediment"."purge_lake"(bigint[]);

CREATE SEQUENCE "sediment"."lake_revisions" AS bigint INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1000000000 CACHE 1 NO CYCLE;

CREATE OR REPLACE FUNCTION public.load_lake_table(p_user uuid, p_namespace text, p_table text, p_seconds integer DEFAULT 30)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_all constant uuid := '00000000-0000-0000-0000-000000000000'::uuid;
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
    -- what has ended since is known by its file, which is kept as long; asked with the files, in one statement
    and h.seen_snapshot >= (select min(s.id) from public.lake_snapshots s)
    and (h.seen_snapshot = v_last.id or h.columns_at = (
        select max(c.begin_snapshot) from public.lake_columns c where c.relation_id = r.id and c.end_snapshot is null)
      and not exists (
        select 1 from public.lake_files l
        where l.id >= h.seen_file and l.relation_id = r.id and (v_scope = v_all or l.dataset_id = v_scope))
      and not exists (
        select 1 from public.lake_files l
        where l.end_snapshot > h.seen_snapshot and l.relation_id = r.id and (v_scope = v_all or l.dataset_id = v_scope)))
  then
    -- the next one looks through what comes from now on; and sediment.prune_lake_heads sees that somebody asks
    if h.seen_snapshot < v_last.id or h.seen_at < clock_timestamp() - interval '1 hour' then
      update public.lake_heads x
      set seen_snapshot = v_last.id, seen_file = v_last.next_file_id, seen_at = clock_timestamp()
      where x.relation_id = r.id and x.dataset_id = v_scope and x.revision = h.revision and x.seen_snapshot <= v_last.id;
    end if;
    return jsonb_build_object('state', 'fresh', 'object_key', h.object_key, 'metadata', h.metadata);
  end if;

  insert into public.lake_heads (relation_id, dataset_id) values (r.id, v_scope) on conflict (relation_id, dataset_id) do nothing;
  update public.lake_heads x
  set revision = nextval('sediment.lake_revisions'), claimed_until = clock_timestamp() + make_interval(secs => p_seconds)
  where x.relation_id = r.id and x.dataset_id = v_scope and (x.claimed_until is null or x.claimed_until <= clock_timestamp())
  returning * into h;
  if not found then
    select * into h from public.lake_heads x where x.relation_id = r.id and x.dataset_id = v_scope;
    -- of what has ended since, beyond the oldest snapshot, the objects may be gone
    h.drop_history := h.drop_history or h.seen_snapshot < v_oldest;
    return jsonb_build_object('state', 'busy', 'object_key', case when not h.drop_history then h.object_key end,
      'metadata', case when not h.drop_history then h.metadata end);
  end if;
  -- what was published before there was Iceberg waits for the next publication
  if exists (
    select 1 from public.lake_schemas k where k.relation_id = r.id and k.mapping_id is not null and k.iceberg_columns is null)
  then
    update public.lake_heads x set claimed_until = null where x.relation_id = r.id and x.dataset_id = v_scope and x.revision = h.revision;
    return jsonb_build_object('state', 'busy', 'object_key', case when not h.drop_history then h.object_key end,
      'metadata', case when not h.drop_history then h.metadata end);
  end if;
  -- a column that is now what its files of before can't be read as
  h.drop_history := h.drop_history or exists (
    select 1 from jsonb_each_text(h.types) t join public.lake_columns c
      on c.relation_id = r.id and c.column_id = t.key::bigint and c.end_snapshot is null
    where t.value is distinct from nullif(c.iceberg_type, 'none')
      and not sediment.iceberg_fits(t.value, nullif(c.iceberg_type, 'none')));

  -- in one statement, which sees the files of one snapshot
  with last as materialized (
    select s.id, s.at, s.next_file_id from public.lake_snapshots s order by s.id desc limit 1
  ), shown as materialized (
    select l.*, k.iceberg_columns, k.iceberg_reason
    from public.lake_files l join public.lake_schemas k on k.mapping_id = l.mapping_id
    where l.relation_id = r.id and l.end_snapshot is null and (v_scope = v_all or l.dataset_id = v_scope)
  ), alive as materialized (
    select s.* from shown s where s.iceberg_columns is not null and s.iceberg_reason is null
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
    select c.*, n.names
    from (
      -- no file that is shown has a second one of a name
      select distinct on (array_to_string(y.path, '.')) y.* from public.lake_columns y
      where y.relation_id = r.id and y.end_snapshot is null
      order by array_to_string(y.path, '.'), y.column_id) c
    left join names n on n.column_id = c.column_id
    where (v_scope = v_all or c.column_id in (1, 2) or n.column_id is not null)
  )
  select jsonb_build_object('state', 'claimed', 'relation', r.id, 'dataset_id', v_scope, 'revision', h.revision, 'uuid', r.uuid,
    'name', r.name, 'snapshot', z.id, 'at', z.at, 'next_file', z.next_file_id,
    'columns_at', (select max(c.begin_snapshot) from public.lake_columns c where c.relation_id = r.id and c.end_snapshot is null),
    'columns', (select jsonb_agg(jsonb_build_object('id', c.column_id, 'parent', c.parent_id, 'name', c.name, 'type', nullif(c.iceberg_type, 'none'),
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

CREATE OR REPLACE FUNCTION sediment.bound_lake_files(p_added sediment.lake_news[], p_snapshot bigint, p_most integer DEFAULT 100000, p_most_of_user integer DEFAULT 50000)
 RETURNS sediment.lake_news[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_hashjoin TO 'on'
 SET enable_nestloop TO 'off'
AS $function$
declare
  v_added sediment.lake_news[] := p_added;
  v_relation bigint;
  v_shown bigint;
begin
  -- as far as is known here: what purges take out is counted still, until it matters
  update public.lake_relations r set shown_files = r.shown_files + s.came - s.went
  from (
    select x.relation_id, sum(x.came)::integer as came, sum(x.went)::integer as went from (
      select n.relation_id, 1 as came, 0 as went from unnest(p_added) n where n.reason is null
      union all
      select l.relation_id, 0, 1 from public.lake_files l where l.end_snapshot = p_snapshot) x
    group by x.relation_id) s
  where r.id = s.relation_id;

  for v_relation in
    select r.id from public.lake_relations r
    where r.shown_files > p_most_of_user and r.id in (select n.relation_id from unnest(p_added) n where n.reason is null)
    order by r.id
  loop
    select count(*) into strict v_shown from public.lake_files l where l.relation_id = v_relation and l.end_snapshot is null;
    v_added := array(
      with of_users as materialized (
        select d.user_id, count(*) as files
        from public.lake_files l cross join lateral (select x.user_id from public.datasets x where x.id = l.dataset_id offset 0) d
        where l.relation_id = v_relation and l.end_snapshot is null group by d.user_id
      ), gone as materialized (
        -- once, not for each new file: a table that is shown anew ends them all
        select distinct l.dataset_id, l.period_tag from public.lake_files l
        where l.end_snapshot = p_snapshot and l.relation_id = v_relation
      ), news as materialized (
        select n.*, d.user_id, g.dataset_id is not null as replaces
        from unnest(v_added) with ordinality as n(battle_file, relation_id, dataset_id, period_tag, object_key, bytes, row_count,
          schema_digest, lake_version, mapping_id, reason, place)
        left join lateral (select x.user_id from public.datasets x where x.id = n.dataset_id offset 0) d on true
        left join gone g on g.dataset_id = n.dataset_id and g.period_tag = n.period_tag
        where n.relation_id = v_relation and n.reason is null
      ), shared as (
        select n.place, n.replaces, not n.replaces and coalesce(u.files, 0)
          + row_number() over (partition by n.user_id order by n.replaces desc, n.place) > p_most_of_user as is_over
        from news n left join of_users u on u.user_id = n.user_id
      ), placed as (
        select s.place, s.is_over or not s.replaces
          and v_shown + row_number() over (order by s.is_over, s.replaces desc, s.place) > p_most as is_over
        from shared s
      )
      select row(n.battle_file, n.relation_id, n.dataset_id, n.period_tag, n.object_key, n.bytes, n.row_count, n.schema_digest,
        n.lake_version, n.mapping_id, case when p.is_over
          then format('the table shows %s files, or %s of one user', p_most, p_most_of_user) else n.reason end)::sediment.lake_news
      from unnest(v_added) with ordinality as n(battle_file, relation_id, dataset_id, period_tag, object_key, bytes, row_count,
        schema_digest, lake_version, mapping_id, reason, place)
      left join placed p on p.place = n.place
      order by n.place);
    update public.lake_relations r
    set shown_files = v_shown + (select count(*) from unnest(v_added) n where n.relation_id = v_relation and n.reason is null)
    where r.id = v_relation;
  end loop;
  return v_added;
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
    'sediment_lake', 'sediment_lake_history', 'sediment_lake_heads'];
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

CREATE OR REPLACE FUNCTION sediment.judge_lake_schema(p_relation bigint, p_digest text, p_snapshot bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_hashjoin TO 'on'
 SET enable_seqscan TO 'on'
AS $function$
begin
  update public.lake_columns c set iceberg_type = 'string'
  where c.relation_id = p_relation and c.column_id in (1, 2) and c.end_snapshot is null and c.iceberg_type is null;

  with leaves as materialized (
    select l.path, l.leaf from public.file_schemas s cross join lateral sediment.iceberg_leaves(s.schema) l where s.digest = p_digest
  ), columns as materialized (
    select c.column_id, c.begin_snapshot, c.path, nullif(c.iceberg_type, 'none') as type, c.iceberg_type is null as is_new,
      min(c.column_id) over (partition by array_to_string(c.path, '.')) < c.column_id as is_second
    from public.lake_columns c where c.relation_id = p_relation and c.end_snapshot is null
  ), fields as materialized (
    select l.path, l.leaf, c.column_id, c.begin_snapshot, c.type, c.is_new, c.is_second,
      c.type is distinct from l.leaf and sediment.iceberg_fits(c.type, l.leaf) as is_promoted
    from leaves l left join columns c on c.path = l.path
  ), judged as materialized (
    select (array_agg(format('column %s: %s', left(array_to_string(f.path, '.'), 200),
        case when f.column_id is null then 'the lake has no place for it' when f.leaf is null then 'engines do not open files that have it'
          when f.is_second then 'another column has its name in Iceberg'
          else format('%s here, %s in the table', f.leaf, f.type) end) order by f.path)
      filter (where f.column_id is null or f.leaf is null or f.is_second
        or not f.is_promoted and not sediment.iceberg_fits(f.leaf, f.type)))[1] as reason
    from fields f
  ), typed as (
    update public.lake_columns c
    set iceberg_type = case when f.is_promoted or f.leaf = any (
          '{boolean,int,long,float,double,string,binary,uuid,date,time,timestamp,timestamptz,struct,list,map}')
        or f.leaf like 'decimal(%' then f.leaf else 'none' end
    from fields f cross join judged j
    where j.reason is null and (f.is_new or f.is_promoted) and c.relation_id = p_relation and c.column_id = f.column_id
      and c.begin_snapshot = f.begin_snapshot
  )
  update public.lake_schemas k set iceberg_columns = p_snapshot, iceberg_reason = j.reason
  from judged j
  where k.relation_id = p_relation and k.schema_digest = p_digest and k.mapping_id is not null;
end $function$;

revoke all on function "sediment"."judge_lake_schema"(bigint, text, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.map_lake_schema(p_relation public.lake_relations, p_digest text, p_dataset uuid, p_snapshot bigint, p_mapping bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_columns_most constant integer := 2000; -- those of nested ones too
  v_columns_of_user constant integer := 1000; -- that one user brought, in however many datasets
  -- what readers load of a table's mappings at once, and what of it one dataset and one user may make
  v_fields_most constant integer := 200000;
  v_fields_of_one constant integer := 20000;
  v_fields_of_user constant integer := 50000;
  v_left_most constant integer := 1000;
  v_left_of_user constant integer := 200;
  v_user constant uuid := (select d.user_id from public.datasets d where d.id = p_dataset);
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
      case when bool_or(y.column_id in (1, 2)) then 'a column of its own has the name of one of the lake''s'
        else (array_agg(format('column %s: %s', left(array_to_string(x.path, '.'), 200),
          coalesce(x.problem, format('%s here, %s in the lake', x.type, y.type))) order by x.field)
          filter (where x.problem is not null
            or y.type is not null and x.type <> 'unknown' and sediment.lake_union(x.type, y.type) is null))[1] end
    into strict v_count, v_reason
    from sediment.lake_fields(v_schema) x
    left join public.lake_columns y on y.relation_id = p_relation.id and y.path = x.path and y.end_snapshot is null;
  end if;
  if v_reason is not null then
    if p_mapping is null then
      return jsonb_build_object('mapped', false, 'changed', false);
    end if;
    insert into public.lake_schemas (relation_id, schema_digest, reason) values (p_relation.id, p_digest, v_reason);
    return jsonb_build_object('mapped', false, 'changed', false);
  end if;
  if (select coalesce(sum(k.fields), 0) + v_count > v_fields_most
      or coalesce(sum(k.fields) filter (where k.dataset_id = p_dataset), 0) + v_count > v_fields_of_one
      or coalesce(sum(k.fields) filter (where k.dataset_id in (select d.id from public.datasets d where d.user_id = v_user)), 0)
        + v_count > v_fields_of_user
    from public.lake_schemas k where k.relation_id = p_relation.id)
  then
    return jsonb_build_object('mapped', false, 'changed', false);
  end if;

  if p_mapping is not null then
    insert into public.lake_schemas (relation_id, schema_digest, mapping_id, fields, dataset_id)
    values (p_relation.id, p_digest, p_mapping, v_count, p_dataset);
  end if;
  select least(v_columns_most - count(distinct y.column_id),
    v_columns_of_user - count(distinct y.column_id)
      filter (where y.dataset_id in (select d.id from public.datasets d where d.user_id = v_user)))
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
          insert into public.lake_columns (relation_id, column_id, parent_id, path, name, type, begin_snapshot, dataset_id, iceberg_type)
          values (c.relation_id, c.column_id, c.parent_id, c.path, c.name, v_type, p_snapshot, c.dataset_id, c.iceberg_type);
        end if;
        v_changed := true;
      end if;
    else
      -- with all that is below it, or not at all: a list without its element is no column
      v_why := coalesce(f.misnamed, case when f.parent is null or v_ids[f.parent] < p_relation.next_column_id then
        case when f.size > v_room then format('the table has %s columns, or %s that one user brought', v_columns_most, v_columns_of_user) end
        end);
      if v_why is not null then
        insert into public.lake_left_columns (relation_id, path, dataset_id, reason)
        select p_relation.id, array(select left(x.part, 128) from unnest(f.path) with ordinality as x(part, place) order by x.place),
          p_dataset, v_why
        where (
          select count(*) < v_left_most and count(*) filter (
            where l.dataset_id in (select d.id from public.datasets d where d.user_id = v_user)) < v_left_of_user
          from public.lake_left_columns l where l.relation_id = p_relation.id)
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
    continue when p_mapping is null;
    insert into public.lake_mapping_fields (mapping_id, field, parent, name, column_id)
    values (p_mapping, f.field, f.parent, f.name, v_id);
  end loop;
  -- a run's commit tells the schema of uploads; the file has the lake's own columns besides
  insert into public.lake_mapping_fields (mapping_id, field, name, column_id)
  select p_mapping, v_count + y.column_id, y.name, y.column_id
  from public.lake_columns y where y.relation_id = p_relation.id and y.column_id in (1, 2) and p_mapping is not null;
  update public.lake_relations r set next_column_id = v_next where r.id = p_relation.id;
  return jsonb_build_object('mapped', p_mapping is not null, 'changed', v_changed);
exception when others then
  if not sediment.is_data_error(sqlstate) then
    raise;
  end if;
  if p_mapping is not null then
    insert into public.lake_schemas (relation_id, schema_digest, reason)
    values (p_relation.id, p_digest, 'the lake cannot take its schema: ' || left(sqlerrm, 200));
  end if;
  return jsonb_build_object('mapped', false, 'changed', false);
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
  v_nothing constant jsonb := '{"snapshot": null, "added": 0, "removed": 0, "left_out": 0, "more": false}'::jsonb;
  v_last public.lake_snapshots;
  v_snapshot bigint;
  v_next bigint;
  v_schema_changed boolean := false;
  v_tables boolean;
  v_anew smallint[] := '{}'::smallint[]; -- tables of which one was shown that ends here
  v_whole bigint[] := '{}'::bigint[];
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
  if not exists (select 1 from public.lake_pending)
    and not exists (select 1 from public.lake_schemas k where k.mapping_id is not null and k.iceberg_columns is null)
  then
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
      left join public.lake_shapes z on z.lake_table_id = y.id
      where x.end_snapshot is null and (y.withdrawn_at is not null or x.shaped_by is distinct from z.dataset_id)
    loop
      update public.lake_files l set end_snapshot = v_snapshot where l.relation_id = r.id and l.end_snapshot is null;
      get diagnostics v_ended = row_count;
      v_ended_tables := v_ended_tables + v_ended;
      delete from public.lake_left_files l where l.relation_id = r.id;
      update public.lake_columns c set end_snapshot = v_snapshot where c.relation_id = r.id and c.end_snapshot is null;
      update public.lake_relations x set end_snapshot = v_snapshot where x.id = r.id;
      v_schema_changed := true;
      v_anew := v_anew || r.lake_table_id;
    end loop;
    for t in
      select y.* from public.lake_tables y
      where y.withdrawn_at is null and not exists (
        select 1 from public.lake_relations x where x.lake_table_id = y.id and x.end_snapshot is null)
    loop
      insert into public.lake_relations (lake_table_id, name, begin_snapshot, next_column_id, shaped_by)
      values (t.id, t.name, v_snapshot, 3, (select z.dataset_id from public.lake_shapes z where z.lake_table_id = t.id))
      returning * into strict r;
      if t.id = any (v_anew) then
        v_whole := v_whole || r.id;
      end if;
      insert into public.lake_columns (relation_id, column_id, path, name, type, begin_snapshot, iceberg_type)
      values (r.id, 1, array[lower(t.dataset_column)], t.dataset_column, 'varchar', v_snapshot, 'string'),
        (r.id, 2, array[lower(t.period_column)], t.period_column, 'varchar', v_snapshot, 'string');
      for v in
        select f.schema_digest from (
          select y.schema_digest, y.uploaded_at, y.id from public.battle_files y
          where y.dataset_id = r.shaped_by and y."table" = t.name and y.removed_version is null and y.schema_digest is not null
          limit 10000) f
        group by f.schema_digest order by min(f.uploaded_at), min(f.id) limit 100
      loop
        select * into strict r from public.lake_relations x where x.id = r.id;
        v_mapped := sediment.map_lake_schema(r, v.schema_digest, r.shaped_by, v_snapshot, null);
        if (v_mapped ->> 'changed')::boolean then
          perform sediment.judge_lake_schema(r.id, v.schema_digest, v_snapshot);
        end if;
      end loop;
      v_schema_changed := true;
    end loop;
  end if;

  with before as materialized (
    select x.id as relation_id, f.id as file_id, f.dataset_id
    from public.lake_relations x
    cross join lateral (
      select y.id, y.dataset_id from public.battle_files y
      where y."table" = x.name and y.lake_version is not null and y.removed_version is null and y.id > x.after_file
      -- what takes the place of a table that is shown shows all at once: else rows would be missing until it does
      order by y.id limit case when x.id <> all (v_whole) then p_files end) f
    where x.end_snapshot is null and x.after_file is not null
  ), first as materialized (
    select x.dataset_id from (select p.dataset_id from public.lake_pending p order by p.id limit p_files) x
    -- what such a file has replaced may wait still
    union select b.dataset_id from before b
  ), taken as (
    delete from public.lake_pending p where p.dataset_id = any (array(select f.dataset_id from first f))
    returning p.file_id, p.dataset_id, p.version
  ), marked as (
    -- all that a deletion covers
    select f.id as file_id
    from taken k
    join public.deletions x on x.dataset_id = k.dataset_id and x.version = k.version and x.state = 'marked'
    join public.lake_relations o on o.end_snapshot is null and (x."table" is null or o.name = x."table")
    cross join lateral (
      select y.period_tag from public.partitions y
      where y.dataset_id = x.dataset_id and y."table" = o.name and (x.period_tag is null or y.period_tag = x.period_tag)
      offset 0) p
    cross join lateral (
      select y.id from public.battle_files y
      where y.dataset_id = x.dataset_id and y."table" = o.name and y.period_tag = p.period_tag
        and y.removed_version is null and y.added_version < x.version and y.lake_version is not null
      offset 0) f
    where k.file_id is null
  ), walked as (
    update public.lake_relations x
    set after_file = (select max(b.file_id) from before b where b.relation_id = x.id and x.id <> all (v_whole) having count(*) = p_files)
    where x.end_snapshot is null and x.after_file is not null
    returning x.after_file
  ), seen as (
    select n.file_id, f.uploaded_at, f.dataset_id, f.period_tag, f.object_key, f.byte_length, f.row_count, f.schema_digest, f.lake_version,
      x.id as relation_id, l.id as shown_id, l.object_key as shown_key, f.id is not null and x.id is not null as is_there
    from (select k.file_id from taken k union select m.file_id from marked m union select b.file_id from before b) n
    left join lateral (
      select * from public.battle_files y
      where y.id = n.file_id and y.removed_version is null and y.state = 'active' and y.lake_version is not null
        and not (sediment.has_marks(y.dataset_id) and sediment.is_marked(y, 9223372036854775807))
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
      from seen s where s.is_there and s.object_key is distinct from s.shown_key
      order by s.uploaded_at, s.file_id),
    (select count(*) from ended), exists (select 1 from walked w where w.after_file is not null)
  into strict v_added, v_ended, v_more;
  v_ended := v_ended + v_ended_tables;

  -- each schema that is new to its table, in the order of its first file: ids are in none
  for v in
    select n.relation_id, n.schema_digest, (array_agg(n.dataset_id order by n.place))[1] as dataset_id
    from unnest(v_added) with ordinality as n(battle_file, relation_id, dataset_id, period_tag, object_key, bytes, row_count,
      schema_digest, lake_version, mapping_id, reason, place)
    where n.lake_version = 1 and n.schema_digest is not null and not exists (
      select 1 from public.lake_schemas k where k.relation_id = n.relation_id and k.schema_digest = n.schema_digest)
    group by n.relation_id, n.schema_digest
    order by min(n.place)
  loop
    select * into strict r from public.lake_relations x where x.id = v.relation_id;
    v_mapped := sediment.map_lake_schema(r, v.schema_digest, v.dataset_id, v_snapshot, v_next);
    v_next := v_next + (v_mapped ->> 'mapped')::boolean::integer;
    v_schema_changed := v_schema_changed or (v_mapped ->> 'changed')::boolean;
  end loop;

  -- these, and what was published before there was Iceberg; of wide ones so many that it ends in time, the others the next time
  for v in
    select y.relation_id, y.schema_digest from (
      select k.relation_id, k.schema_digest, k.mapping_id,
        sum(coalesce(k.fields, 0)) over (order by k.mapping_id) - coalesce(k.fields, 0) as fields
      from public.lake_schemas k where k.mapping_id is not null and k.iceberg_columns is null) y
    where y.fields < 50000 order by y.mapping_id
  loop
    perform sediment.judge_lake_schema(v.relation_id, v.schema_digest, v_snapshot);
  end loop;

  v_added := array(
    select row(n.battle_file, n.relation_id, n.dataset_id, n.period_tag, n.object_key, n.bytes, n.row_count, n.schema_digest,
      n.lake_version, k.mapping_id,
      case when n.lake_version <> 1 then 'a column of its own has the name of one of the lake''s, or it has as many as a file may'
        when n.schema_digest is null then 'the catalog has no schema of it' when k.found then k.reason
        else 'the table, its dataset or its user has too many schemas' end)::sediment.lake_news
    from unnest(v_added) n
    left join lateral (
      select y.mapping_id, y.reason, true as found from public.lake_schemas y
      where y.relation_id = n.relation_id and y.schema_digest = n.schema_digest and n.lake_version = 1 offset 0) k on true);
  v_added := sediment.bound_lake_files(v_added, v_snapshot);
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
  perform sediment.keep_lake_statistics(v_next, v_next + v_shown);
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

  if v_ended > 0 then
    perform sediment.readmit_lake_files(v_snapshot);
  end if;
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
    'more', exists (select 1 from public.lake_pending)
      or exists (select 1 from public.lake_schemas k where k.mapping_id is not null and k.iceberg_columns is null));
end $function$;

CREATE OR REPLACE FUNCTION sediment.purge_lake(p_dataset uuid, p_tables text[], p_files bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform pg_advisory_xact_lock_shared(sediment.lake_lock());
  -- also where there is none: it waits for who is making one
  insert into public.lake_heads as h (relation_id, dataset_id, revision, drop_history)
  select s.id, s.dataset_id, nextval('sediment.lake_revisions'), true
  from (
    select x.id, y.dataset_id from public.lake_relations x
    cross join lateral (values (p_dataset), ('00000000-0000-0000-0000-000000000000'::uuid)) y (dataset_id)
    where x.name = any (p_tables) and x.end_snapshot is null
    order by 1, 2) s (id, dataset_id)
  on conflict (relation_id, dataset_id) do update set drop_history = true, revision = excluded.revision;
  delete from public.lake_files l where l.battle_file = any (p_files);
  delete from public.lake_left_files l where l.battle_file = any (p_files);
end $function$;

revoke all on function "sediment"."purge_lake"(uuid, text[], bigint[]) from public, anon, authenticated, service_role;

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
  v_tables text[];
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
    returning f.object_key, f.byte_length, f.id, f.lake_version, f."table"
  )
  select coalesce(array_agg(distinct y.object_key), '{}'), count(*), coalesce(sum(y.byte_length), 0),
    array_agg(y.id) filter (where y.lake_version is not null), array_agg(distinct y."table") filter (where y.lake_version is not null)
  into strict v_keys, v_dropped, v_bytes, v_of_lake, v_tables from dropped y;
  if v_of_lake is not null then
    perform sediment.purge_lake(x.dataset_id, v_tables, v_of_lake);
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
      and y.dataset_id = x.dataset_id and (x."table" is null or y."table" = x."table")
      and (x.period_tag is null or y.period_tag = x.period_tag)
      -- of one upload what a healing has replaced
      and (x.upload_id is null or y.kind = 'fragment' and exists (
        select 1 from public.uploads u where u.id = x.upload_id and (u.dataset_id, u."table", u.period_tag, u.content_hash)
          = (y.dataset_id, y."table", y.period_tag, y.content_hash)))
      and not exists (select 1 from public.battle_files f where f.object_key = y.object_key)
    for update skip locked));
  -- what is staged can't be committed any more: by the version of its stage, by the token of its run
  perform sediment.discard_object(y.object_key, v_reason) from (
    select z.object_key from public.objects z
    where z.state = 'staged' and z.put_deadline > '-infinity' and z.dataset_id = x.dataset_id and x.upload_id is null
      and (x."table" is null or z."table" = x."table") and (x.period_tag is null or z.period_tag = x.period_tag)
      and (z.kind = 'fragment' and z.staged_version < x.version or z.kind = 'compacted' and exists (
        select 1 from public.partitions p where p.dataset_id = z.dataset_id and p."table" = z."table"
          and p.period_tag = z.period_tag and p.token > z.token))
    order by z.object_key for update skip locked) y;
  -- Of one upload: what merges had written that were refused for it, or given up before. The run that is under way may go on
  -- when all that it has read is shown still, since that has no row of it.
  perform sediment.discard_object(y.object_key, v_reason) from (
    select z.object_key
    from public.deleted_slices s
    join public.objects z on z.dataset_id = s.dataset_id and z."table" = s."table" and z.period_tag = s.period_tag
    join public.partitions p on p.dataset_id = s.dataset_id and p."table" = s."table" and p.period_tag = s.period_tag
    where s.deletion_id = x.id and z.state = 'staged' and z.put_deadline > '-infinity' and z.kind = 'compacted'
      and z.created_at <= x.removed_at
      and not (z.run_id = p.run_id and z.token = p.token
        and z.run_ordinal = (select max(o.run_ordinal) from public.objects o
          where o.state = 'staged' and o.put_deadline > '-infinity' and o.run_id = z.run_id and o.token = z.token)
        and cardinality(p.staged_inputs) = (select count(*) from public.battle_files f
          where f.id = any (p.staged_inputs) and f.removed_version is null))
    order by z.object_key for update of z skip locked) y;
  update public.deletions y set state = 'purging' where y.id = x.id;
  return v_dropped;
end $function$;

REVOKE ALL ON FUNCTION "sediment"."judge_lake_schema"(bigint, text, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."judge_lake_schema"(bigint, text, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."purge_lake"(uuid, text[], bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."purge_lake"(uuid, text[], bigint[]) TO "service_role";

GRANT USAGE ON SEQUENCE "sediment"."lake_revisions" TO "service_role";

select cron.schedule('sediment_lake_heads', '* * * * *', 'select sediment.prune_lake_heads(50)');

select cron.schedule('sediment_lake_history', '* * * * *', 'select sediment.prune_lake(10000)');
