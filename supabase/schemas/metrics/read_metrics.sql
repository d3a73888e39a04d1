-- All that GET /compaction/metrics shows. Counters are exact; of what is there now every look is bounded: counts stop at
-- 10,000, and how many rows a large table has is the planner's estimate.
-- Returns {counters: [{metric, label, events, amount}], queues: [{queue, messages, due, oldest_due_seconds}],
-- debt: {partitions, oldest_seconds}, due_partitions, dead_partitions, leases, max_workers, breaker_open, incidents: [{name, open}],
-- dead_letters, quarantined_files, lost_files, deletions, alerts_pending, store_findings, lake: {files, left_out, lag_seconds}, objects: [{state, objects}],
-- tables: [{table, bytes, rows}]}.
create or replace function public.read_metrics()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
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
end $$;
