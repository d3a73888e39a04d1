-- Every 30 seconds: wakes min(due messages, max workers − live leases) compactors, by pings. Looks for no more
-- than there can be workers, and where nothing is due that is one index scan: partitions know when their messages are due. Of
-- messages that no partition knows (the rest of a request for a whole dataset, or sent by hand) the sweep sees to it.
-- While the breaker is open one is woken when a probe is due. No ping is sent while earlier ones are still queued: they
-- would all arrive at once.
-- Returns {ready, leases, woken}.
create or replace function public.tick()
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_ready integer;
  v_now timestamptz := clock_timestamp();
  v_leases integer;
  v_wake integer;
  v_woken integer := 0;
  v_probe boolean;
begin
  select count(*) into strict v_ready from (
    select 1 from public.partitions p where p.msg_id is not null and p.ready_at <= v_now limit 64) x;
  if v_ready = 0 then
    return jsonb_build_object('ready', 0, 'leases', null, 'woken', 0);
  end if;
  v_probe := sediment.wake_probe();
  if v_probe is not null then
    return jsonb_build_object('ready', v_ready, 'leases', null, 'woken', v_probe::integer);
  end if;

  select count(*) into strict v_leases from public.partitions p where p.lease_expires_at > v_now;
  select least(v_ready, s.max_workers - v_leases) into strict v_wake from public.service_settings s;
  if v_wake > 0 and sediment.pings_queued('/compactor') > 0 then
    v_wake := 0;
  end if;
  for i in 1 .. v_wake loop
    exit when sediment.ping_functions('/compactor') is null;
    v_woken := v_woken + 1;
  end loop;
  return jsonb_build_object('ready', v_ready, 'leases', v_leases, 'woken', v_woken);
end $$;
