-- Asks for another vacuum: the hourly one that found more than its time was for does not leave it to the next hour. None
-- is sent while one is queued. Returns {woken}.
create or replace function public.wake_vacuum()
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  return jsonb_build_object('woken', sediment.pings_queued('/compactor/vacuum') = 0
    and sediment.ping_functions('/compactor/vacuum') is not null);
end $$;
