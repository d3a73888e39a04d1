-- catalog_health looks at leases alone where it counts those that are overdue, not at all partitions.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.catalog_health()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_queues jsonb := '{}'::jsonb;
  v_queue text;
  v_leases integer;
  v_debt integer;
  v_reasons text[] := '{}'::text[];
  v_breaker public.circuit_breaker;
begin
  foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
    v_queues := v_queues || jsonb_build_object(v_queue, jsonb_build_object(
      'due', (select count(*) from sediment.queue_ready(v_queue, 100)),
      'oldest_due_at', (select min(m.vt) from sediment.queue_messages m
        where m.queue = v_queue and m.vt <= v_now)));
  end loop;
  select count(*) into strict v_leases from (
    -- "is not null", since the planner else looks at all partitions where few are leased
    select 1 from public.partitions p
    where p.lease_expires_at is not null and p.lease_expires_at < v_now - interval '2 minutes' limit 100) x;
  select count(*) into strict v_debt from (
    select 1 from public.partitions p
    where p.due_at < v_now - interval '5 minutes' and p.msg_id is null limit 100) x;
  select * into strict v_breaker from public.circuit_breaker;
  v_reasons := sediment.clockwork_faults() || array_remove(array[
    case when v_breaker.state = 'open' then 'breaker_open' end,
    -- PostgREST asks for transactions that may write, whatever the default: the jobs do not
    case when current_setting('transaction_read_only') = 'on' or current_setting('default_transaction_read_only') = 'on'
      or pg_catalog.pg_is_in_recovery() then 'read_only' end,
    case when v_leases > 0 then 'leases_overdue' end,
    case when v_debt > 0 then 'debt_overdue' end,
    case when v_breaker.state = 'closed' and (select s.max_workers from public.service_settings s) > 0
      and exists (select 1 from public.partitions p where p.msg_id is not null and p.lease_expires_at is null
        and p.ready_at < v_now - interval '90 seconds')
      and not exists (select 1 from public.partitions p where p.lease_expires_at is not null
        and p.claimed_at > v_now - interval '90 seconds') then 'work_waits' end], null);
  return jsonb_build_object('ok', cardinality(v_reasons) = 0, 'reasons', to_jsonb(v_reasons),
    'details', (select coalesce(jsonb_object_agg(r, sediment.health_text(r)), '{}') from unnest(v_reasons) r),
    'open_incidents', (select coalesce(jsonb_agg(i.name order by i.name), '[]') from public.incidents i
      where i.state = 'open'), 'breaker',
    case when v_breaker.state = 'open' then format('%s since %s: %s', v_breaker.part, v_breaker.opened_at,
      v_breaker.error_message) end, 'queues', v_queues,
    'leases', (select count(*) from public.partitions p where p.lease_expires_at > v_now),
    'overdue_leases', v_leases, 'overdue_debt', v_debt,
    'dead_letters', (select count(*) from (
      select 1 from public.dead_letters l where l.resolved_at is null limit 100) x),
    'oldest_debt', (select min(p.debt_oldest) from public.partitions p where p.debt_oldest is not null),
    'postgres', current_setting('server_version'),
    'pgmq', (select e.extversion from pg_catalog.pg_extension e where e.extname = 'pgmq'));
end $function$;
