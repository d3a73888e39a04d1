-- Whether the catalog works, cheaply: bounded looks, no counting of everything. ok is false when the clockwork is not
-- at work: a lease that ended two minutes ago was not taken back, or debt that is due for five has no message.
-- Returns {ok, queues: {name: {due, oldest_due_at}}, leases, overdue_leases, overdue_debt, dead_letters, oldest_debt,
-- postgres, pgmq}; counts stop at 100.
create or replace function public.catalog_health()
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_queues jsonb := '{}';
  v_queue text;
  v_leases integer;
  v_debt integer;
begin
  foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
    v_queues := v_queues || jsonb_build_object(v_queue, jsonb_build_object(
      'due', (select count(*) from sediment.queue_ready(v_queue, 100)),
      'oldest_due_at', (select min(m.vt) from sediment.queue_messages m
        where m.queue = v_queue and m.vt <= v_now)));
  end loop;
  select count(*) into strict v_leases from (
    select 1 from public.partitions p where p.lease_expires_at < v_now - interval '2 minutes' limit 100) x;
  select count(*) into strict v_debt from (
    select 1 from public.partitions p
    where p.due_at < v_now - interval '5 minutes' and p.msg_id is null limit 100) x;
  return jsonb_build_object('ok', v_leases + v_debt = 0, 'queues', v_queues,
    'leases', (select count(*) from public.partitions p where p.lease_expires_at > v_now),
    'overdue_leases', v_leases, 'overdue_debt', v_debt,
    'dead_letters', (select count(*) from (
      select 1 from public.dead_letters l where l.resolved_at is null limit 100) x),
    'oldest_debt', (select min(p.debt_oldest) from public.partitions p where p.debt_oldest is not null),
    'postgres', current_setting('server_version'),
    'pgmq', (select e.extversion from pg_catalog.pg_extension e where e.extname = 'pgmq'));
end $$;
