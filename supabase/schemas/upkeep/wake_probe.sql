-- While the breaker is open: wakes a worker when a probe is due and no ping is on its way. Returns whether it did;
-- null while it is closed.
create or replace function sediment.wake_probe()
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  b public.circuit_breaker;
  v_now timestamptz := clock_timestamp();
begin
  select * into strict b from public.circuit_breaker;
  if b.state <> 'open' then
    return null;
  end if;
  return b.probe_at <= v_now and (b.probe_until is null or b.probe_until <= v_now)
    and sediment.pings_queued('/compactor') = 0 and sediment.ping_functions('/compactor') is not null;
end $$;
