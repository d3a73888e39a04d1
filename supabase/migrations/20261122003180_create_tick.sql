-- Every 30 seconds: wakes min(due messages, max workers − live leases) compactors, by pings. Looks at no more
-- than ten messages a queue, by the vt index. Returns {ready, leases, woken}.
create or replace function public.tick()
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_ready integer := 0;
  v_queue text;
  v_now timestamptz := clock_timestamp();
  v_leases integer;
  v_wake integer;
  v_woken integer := 0;
begin
  foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
    v_ready := v_ready + (select count(*) from sediment.queue_ready(v_queue, 10));
    exit when v_ready >= 10;
  end loop;
  if v_ready = 0 then
    return jsonb_build_object('ready', 0, 'leases', null, 'woken', 0);
  end if;

  select count(*) into strict v_leases from public.partitions p where p.lease_expires_at > v_now;
  select least(v_ready, s.max_workers - v_leases) into strict v_wake from public.service_settings s;
  for i in 1 .. v_wake loop
    exit when sediment.ping_functions('/compactor') is null;
    v_woken := v_woken + 1;
  end loop;
  return jsonb_build_object('ready', v_ready, 'leases', v_leases, 'woken', v_woken);
end $$;
