-- Bounds of the lake: a schema that the catalog can't take leaves its own files out and nobody else's; what is marked as deleted
-- is gone with the next publication, whole; old snapshots are pruned by the job sediment_lake, not by sediment_history. A deletion
-- that fails stands in no other's way.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.advance_deletions(p_limit integer DEFAULT 2000, p_deletion uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 2000), 1), 10000);
  v_grace interval := (select make_interval(secs => s.deleted_upload_seconds) from public.service_settings s);
  v_now timestamptz := clock_timestamp();
  x public.deletions;
  v_done boolean;
  v_waiting uuid[] := '{}'::uuid[];
  v_state text;
  v_message text;
  v_detail text;
  v_hint text;
begin
  for x in
    select y.* from public.deletions y left join public.datasets d on d.id = y.dataset_id
    where y.forgotten_at is null and (p_deletion is null or p_deletion in (y.id, y.parent_id))
      and (y.state = 'marked' or y.purge and y.state in ('removed', 'purging')
        or y.kind <> 'user' and y.state <> 'pending' and y.requested_at + v_grace <= v_now and d.oldest_kept_version >= y.version)
      -- of an upload in the lake: the files that it was rewritten from are shown until the next publication, with others' rows
      and not (y.kind = 'upload' and y.purge and y.state = 'removed' and y.removed_at > v_now - interval '1 hour'
        and exists (select 1 from public.lake_pending n where n.dataset_id = y.dataset_id and n.version <= y.version))
      -- a user who only waits for what is at their datasets would stand before it, and a hundred of them before everything
      and not (y.kind = 'user'
        and exists (select 1 from public.deletions z
          where z.parent_id = y.id and (z.state = 'marked' or z.purge and z.state <> 'purged'))
        and not exists (select 1 from public.datasets t where t.user_id = y.user_id and t.deleted_at is null)
        and not exists (select 1 from public.assets a where a.user_id = y.user_id))
    -- those that wait for the store come last, so that they are in nobody's way
    order by y.state <> 'marked', y.state = 'purging',
      (select max(z.advanced_at) from public.deletions z where z.user_id = y.user_id), y.advanced_at, y.requested_at
    limit 100
    for no key update of y skip locked
  loop
    v_done := true;
    begin
      if x.kind = 'user' then
        v_done := sediment.remove_user(x, v_limit);
      elsif x.state = 'marked' then
        perform sediment.remove_marked(x, v_limit);
      elsif x.purge and x.state = 'removed' then
        perform sediment.purge_removed(x, v_limit);
      elsif x.state = 'purging' then
        v_done := sediment.split_purged(x, v_limit);
      else
        perform sediment.forget_deleted(x, v_limit);
      end if;
    exception when others then
      if not sediment.is_data_error(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail,
        v_hint = pg_exception_hint;
      v_detail := concat_ws(': ', 'deletion ' || x.id, nullif(v_detail, ''));
      update public.deletions y set advanced_at = v_now where y.id = x.id;
      v_done := false;
    end;
    if v_done then
      update public.deletions y set advanced_at = v_now where y.id = x.id;
      return jsonb_build_object('advanced', x.id, 'more', true);
    end if;
    v_waiting := v_waiting || x.id;
  end loop;
  -- a hundred that wait for the store or for their datasets must not stand before the next hundred for ever
  if cardinality(v_waiting) = 100 then
    update public.deletions y set advanced_at = v_now where y.id = any (v_waiting);
  elsif v_state is not null then
    raise exception using errcode = v_state, message = v_message, detail = v_detail, hint = v_hint;
  end if;
  -- the store's part is a worker's: the hourly vacuum would come late
  if p_deletion is null and (
    exists (select 1 from public.objects o where o.split_at <= v_now and o.state = 'stored')
    or exists (
      select 1 from (
        select o.delete_reason from public.objects o
        where o.delete_after <= v_now and o.state = 'deleting' order by o.delete_after desc limit 100) y
      where y.delete_reason like 'deletion %'))
  then
    perform public.wake_vacuum();
  end if;
  return jsonb_build_object('advanced', null, 'more', false);
end $function$;

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
  if exists (select 1 from public.lake_tables t where t.withdrawn_at is null and lower(t.name) = lower(p_name)) then
    perform sediment.fail('invalid_name', 400, format('%s differs in case only from a table that is in the lake', p_name));
  end if;
  if (select count(*) from public.lake_tables t where t.withdrawn_at is null) >= v_most
    or x.id is null and (select count(*) from public.lake_tables) >= v_most_ever
  then
    perform sediment.fail('quota_exceeded', 429, 'the lake takes no further table',
      format('%s tables at once, and %s names ever', v_most, v_most_ever));
  end if;

  if x.id is not null then
    update public.lake_tables t
    set approved_at = clock_timestamp(), withdrawn_at = null, settled_dataset_id = '00000000-0000-0000-0000-000000000000',
      settling_since = null, settled_period_tag = '', settled_seq = -1
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

CREATE OR REPLACE FUNCTION sediment.is_data_error(p_sqlstate text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select left(p_sqlstate, 2) in ('21', '22', '23', '54', 'P0', 'SD')
$function$;

revoke all on function "sediment"."is_data_error"(text) from public, anon, authenticated, service_role;

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
          then 'its name is one of DuckLake''s own'
        -- an index has them
        when octet_length(array_to_string(w.path, '')) > 1500 then 'its names from the top are longer than 1,500 bytes together'
      end as misnamed
    from walk w
  ), sized as materialized (
    select n.places[1 : k] as places, count(*) as size, max(n.misnamed) as misnamed
    from numbered n cross join lateral generate_series(1, cardinality(n.places)) k
    group by 1
  )
  select n.field, p.field, n.name, n.path, n.type,
    case
      when n.node ->> 'repetition' = 'repeated' and p.type is distinct from 'list' then 'it repeats without being a list'
      when n.node ? 'children' and cardinality(n.places) >= 32 then 'it is nested too deeply'
      when p.field is not null and n.type = 'unknown' then 'it has nothing but nulls, and lies within another'
      when n.type is null
        then format('the lake has no type for %s', left(concat_ws(' ', n.node ->> 'type', n.node ->> 'logical', n.node ->> 'spelling'), 80))
    end,
    s.size, s.misnamed
  from numbered n left join numbered p on p.places = n.above join sized s on s.places = n.places
$function$;

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
    from public.lake_schemas k where k.relation_id = p_relation.id)
  then
    return jsonb_build_object('mapped', false, 'changed', false);
  end if;

  if p_mapping is not null then
    insert into public.lake_schemas (relation_id, schema_digest, mapping_id, fields, dataset_id)
    values (p_relation.id, p_digest, p_mapping, v_count, p_dataset);
  end if;
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

CREATE OR REPLACE FUNCTION sediment.mark_deletion(d public.datasets, p_user uuid, p_table text, p_period_tag text, p_purge boolean, p_parent uuid)
 RETURNS public.deletions
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_kind constant text := case when p_period_tag is not null then 'period' when p_table is not null then 'table'
    else 'dataset' end;
  v_version public.dataset_versions;
  x public.deletions;
begin
  v_version := (sediment.next_versions(array[row(d.id, 0, 0, 0, 0, null)::sediment.dataset_change]))[1];
  insert into public.deletions (kind, user_id, requested_by, dataset_id, "table", period_tag, parent_id, version, purge)
  values (v_kind, d.user_id, p_user, d.id, p_table, p_period_tag, p_parent, v_version.version, p_purge)
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version.version,
    deleted_at = case when v_kind = 'dataset' then coalesce(y.deleted_at, clock_timestamp()) else y.deleted_at end
  where y.id = d.id;
  if p_purge then
    perform sediment.end_versions(d.id, v_version.version);
  end if;
  -- for the lake its files are gone at once, too
  insert into public.lake_pending (dataset_id, version, change)
  select d.id, v_version.version, 'removed'
  where exists (select 1 from public.lake_tables t where t.withdrawn_at is null and (p_table is null or t.name = p_table));
  if v_kind = 'dataset' then
    perform sediment.end_keys(d.id, 'dataset_deleted');
  end if;
  return x;
end $function$;

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
  if not exists (select 1 from public.lake_snapshots x where x.id < v_kept)
    and not exists (select 1 from public.lake_files l where l.end_snapshot <= v_kept)
  then
    return 0;
  end if;
  if not pg_try_advisory_xact_lock(sediment.lake_lock()) then
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

  delete from public.pings p where p.id = any (array(
    select x.id from public.pings x where x.sent_at < clock_timestamp() - interval '1 day'
    order by x.sent_at limit p_limit for update skip locked));

  return jsonb_build_object('runs', cardinality(v_runs), 'commits', v_commits, 'dead_letters', v_letters,
    'alerts', v_alerts, 'objects', v_objects,
    'more', greatest(cardinality(v_runs), v_letters, v_alerts, v_objects, v_idle) = p_limit);
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
    end loop;
    for t in
      select y.* from public.lake_tables y
      where y.withdrawn_at is null and not exists (
        select 1 from public.lake_relations x where x.lake_table_id = y.id and x.end_snapshot is null)
    loop
      insert into public.lake_relations (lake_table_id, name, begin_snapshot, next_column_id, shaped_by)
      values (t.id, t.name, v_snapshot, 3, (select z.dataset_id from public.lake_shapes z where z.lake_table_id = t.id))
      returning * into strict r;
      insert into public.lake_columns (relation_id, column_id, path, name, type, begin_snapshot)
      values (r.id, 1, array[lower(t.dataset_column)], t.dataset_column, 'varchar', v_snapshot),
        (r.id, 2, array[lower(t.period_column)], t.period_column, 'varchar', v_snapshot);
      for v in
        select distinct f.schema_digest from (
          select y.schema_digest from public.battle_files y
          where y.dataset_id = r.shaped_by and y."table" = t.name and y.removed_version is null and y.schema_digest is not null
          limit 10000) f
        order by 1 limit 100
      loop
        select * into strict r from public.lake_relations x where x.id = r.id;
        perform sediment.map_lake_schema(r, v.schema_digest, r.shaped_by, v_snapshot, null);
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
      order by y.id limit p_files) f
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
    set after_file = (select max(b.file_id) from before b where b.relation_id = x.id having count(*) = p_files)
    where x.end_snapshot is null and x.after_file is not null
    returning x.after_file
  ), seen as (
    select n.file_id, f.dataset_id, f.period_tag, f.object_key, f.byte_length, f.row_count, f.schema_digest, f.lake_version,
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

REVOKE ALL ON FUNCTION "sediment"."is_data_error"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."is_data_error"(text) TO "service_role";

select cron.schedule('sediment_lake', '30 seconds', 'select sediment.publish_lake(), sediment.prune_lake(10000)');
