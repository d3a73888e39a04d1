-- Three constants of functions are JSON by their own word. Nothing changes for anybody.
set local lock_timeout = '5s';
set local check_function_bodies = off;

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
  v_start constant jsonb := '{"after_table": "", "after_period_tag": ""}'::jsonb;
  v_joined boolean;
begin
  if sediment.priority_rank(p_priority) is null then
    perform sediment.fail('invalid_request', 400, format('the priority is %s', quote_nullable(left(p_priority, 40))),
      'manual, realtime or scheduled');
  end if;
  if p_table is null and p_period_tag is not null then
    perform sediment.fail('invalid_request', 400, 'a period_tag needs its table');
  end if;
  d := sediment.require_dataset(p_user, p_dataset, 'writer');
  perform sediment.refuse_request(p_user);
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

  -- one that is not through yet begins anew: a dataset has one of a kind, however often it is asked for
  update public.processing_metrics x set fan_out_cursor = v_start || jsonb_build_object('table', p_table)
  where x.id = (
    select y.id from public.processing_metrics y
    where y.operation = 'fan_out' and y.completed_at is null and y.fan_out_cursor is not null and y.trigger = 'request'
      and y.dataset_id = d.id and y.priority = p_priority and y.fan_out_cursor ->> 'table' is not distinct from p_table
    order by y.queued_at limit 1 for no key update)
  returning x.id into v_run;
  v_joined := found;
  if not v_joined then
    insert into public.processing_metrics
      (user_id, dataset_id, operation, trigger, priority, fan_out_forced, fan_out_cursor)
    values (d.user_id, d.id, 'fan_out', 'request', p_priority, p_priority = 'manual',
      v_start || jsonb_build_object('table', p_table))
    returning id into strict v_run;
  end if;
  v_requested := sediment.fan_out(v_run, 100);
  select * into strict r from public.processing_metrics x where x.id = v_run;
  if r.fan_out_cursor is not null and not v_joined then
    perform sediment.queue_send(p_priority, v_run, d.id, null, null, 0);
  elsif v_requested = '[]' and not v_joined then
    update public.processing_metrics x
    set status = 'success', completed_at = clock_timestamp(), decision = 'nothing is in debt'
    where x.id = v_run;
  end if;
  perform sediment.spend_request(p_user, jsonb_array_length(v_requested));
  return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id,
    'partitions', jsonb_array_length(v_requested), 'requested', v_requested,
    'cursor', r.fan_out_cursor ->> 'after_table');
end $function$;

CREATE OR REPLACE FUNCTION sediment.advance_lake(p_bytes bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_ahead constant integer := 100;
  v_looked constant integer := 5000;
  v_datasets constant integer := 2000;
  v_stopped boolean := false;
  v_room integer;
  v_left bigint := p_bytes;
  v_seen integer := 0;
  v_marked integer := 0;
  v_dataset uuid;
  v_page record;
  t public.lake_tables;
begin
  select * into t from public.lake_tables x
  where x.settled_dataset_id is not null order by x.settling_since nulls first, x.id limit 1
  for no key update skip locked;
  if not found then
    return '{"marked": 0, "bytes": 0}'::jsonb;
  end if;
  t.settling_since := coalesce(t.settling_since, clock_timestamp());
  v_room := v_ahead - (select count(*) from (
    select 1 from public.battle_files f
    join public.partitions p on p.dataset_id = f.dataset_id and p."table" = f."table" and p.period_tag = f.period_tag
    where f.rewrite is not null and f.removed_version is null and f."table" = t.name and p.msg_id is not null
    limit v_ahead) x);

  for v_dataset in
    select d.id from public.datasets d where d.id >= t.settled_dataset_id order by d.id limit v_datasets
  loop
    v_seen := v_seen + 1;
    if v_dataset > t.settled_dataset_id then
      t.settled_dataset_id := v_dataset;
      t.settled_period_tag := '';
      t.settled_seq := -1;
    end if;
    continue when not exists (select 1 from public.partitions p where p.dataset_id = v_dataset and p."table" = t.name);
    v_stopped := v_room <= 0 or (v_left <= 0 and v_marked > 0) or exists (select 1 from public.partitions p
      where p.dataset_id = v_dataset and p."table" = t.name and p.lease_expires_at is not null
        and p.claimed_at <= t.settling_since);
    exit when v_stopped;
    with looked as (
      select f.id, f.period_tag, f.seq_min, f.byte_length,
        f.state = 'active' and f.rewrite is null and f.level > 0 and f.lake_version is null as older
      from public.battle_files f
      where f.dataset_id = v_dataset and f."table" = t.name and f.removed_version is null
        and (f.period_tag, f.seq_min) > (t.settled_period_tag, t.settled_seq)
      order by f.period_tag, f.seq_min limit v_looked
    ), older as (
      select l.*, row_number() over w as n, sum(l.byte_length) over w - l.byte_length as before
      from looked l where l.older
      window w as (order by l.period_tag, l.seq_min)
    ), taken as (
      select o.* from older o where o.n <= v_room and (o.before < v_left or o.n = 1 and v_marked = 0)
    ), reached as (
      -- behind what was taken, or behind all that was looked at where all of that was
      select r.period_tag, r.seq_min from (
        select k.period_tag, k.seq_min from taken k where (select count(*) from taken) < (select count(*) from older)
        union all
        select l.period_tag, l.seq_min from looked l where (select count(*) from taken) = (select count(*) from older)
      ) r order by r.period_tag desc, r.seq_min desc limit 1
    )
    select coalesce((select jsonb_agg(jsonb_build_object('id', k.id, 'reason', 'its table is in the lake') order by k.n)
        from taken k), '[]') as files,
      (select coalesce(sum(k.byte_length), 0) from taken k) as bytes,
      (select count(*) from looked) < v_looked and (select count(*) from taken) = (select count(*) from older) as whole,
      r.period_tag, r.seq_min
    into strict v_page
    from (values (true)) one (row) left join reached r on true;

    perform public.mark_for_rewrite(v_page.files);
    v_marked := v_marked + jsonb_array_length(v_page.files);
    v_room := v_room - jsonb_array_length(v_page.files);
    v_left := v_left - v_page.bytes;
    t.settled_period_tag := coalesce(v_page.period_tag, t.settled_period_tag);
    t.settled_seq := coalesce(v_page.seq_min, t.settled_seq);
    v_stopped := not v_page.whole;
    exit when v_stopped;
  end loop;
  update public.lake_tables x
  set settled_dataset_id = case when v_stopped or v_seen = v_datasets then t.settled_dataset_id end, settling_since = t.settling_since,
    settled_period_tag = t.settled_period_tag, settled_seq = t.settled_seq
  where x.id = t.id;
  return jsonb_build_object('marked', v_marked, 'bytes', p_bytes - v_left);
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
