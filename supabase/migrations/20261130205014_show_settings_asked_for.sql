-- The settings of a table or a user that is asked for are told, however many others were changed since; what is staged is found by its
-- index in read_metrics and purge_removed. Schema 6.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "public"."read_settings"();

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
            where o.state = 'staged' and o.put_deadline > '-infinity' limit v_top) x) as staged,
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

CREATE OR REPLACE FUNCTION public.read_settings(p_dataset uuid DEFAULT NULL::uuid, p_table text DEFAULT NULL::text, p_of_user uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_row constant jsonb := (select to_jsonb(s) from public.service_settings s);
  v_table constant text := sediment.table_of(p_dataset, p_table);
begin
  return jsonb_build_object(
    'settings', (
      select jsonb_agg(x.c || jsonb_build_object('value', sediment.shown_setting(x.c ->> 'name', v_row -> (x.c ->> 'name')))
        order by x.n)
      from jsonb_array_elements(sediment.settings_columns('public.service_settings')) with ordinality x (c, n)),
    'table_columns', sediment.settings_columns('public.table_settings'),
    'user_columns', sediment.settings_columns('public.user_limits'),
    'tables', (
      select coalesce(jsonb_agg(jsonb_build_object('dataset_id', t.dataset_id, 'table', sediment.name_of(t.dataset_id, t."table"),
        'settings', jsonb_strip_nulls(to_jsonb(t) - array['dataset_id', 'table', 'updated_at'])) order by t.updated_at desc), '[]')
      from (
        (select * from public.table_settings x order by x.updated_at desc limit 200)
        union select * from public.table_settings x where x.dataset_id = p_dataset and x."table" = v_table) t),
    'users', (
      select coalesce(jsonb_agg(jsonb_build_object('user_id', u.user_id,
        'settings', jsonb_strip_nulls(to_jsonb(u) - array['user_id', 'updated_at'])) order by u.updated_at desc), '[]')
      from (
        (select * from public.user_limits x order by x.updated_at desc limit 200)
        union select * from public.user_limits x where x.user_id = p_of_user) u),
    'warnings', (
      select coalesce(jsonb_agg(to_jsonb(w) || jsonb_build_object('table', sediment.name_of(w.dataset_id, w."table"))), '[]')
      from (select * from public.setting_warnings x limit 100) w),
    'history', (
      select coalesce(jsonb_agg(to_jsonb(h) - 'id' || jsonb_build_object('table', sediment.name_of(h.dataset_id, h."table"))
        order by h.changed_at desc, h.id desc), '[]')
      from (select * from public.settings_history x order by x.changed_at desc, x.id desc limit 100) h));
end $function$;

revoke all on function "public"."read_settings"(uuid, text, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.schema_version()
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select to_jsonb(6)
$function$;

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

REVOKE ALL ON FUNCTION "public"."read_settings"(uuid, text, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."read_settings"(uuid, text, uuid) TO "service_role";
