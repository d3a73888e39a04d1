-- Refuses at once, before anything is done and without a lock, what sediment.spend_request would take back at the end: of
-- requests for many partitions that leaves as much for vacuum as if they had been granted. Raises rate_limited.
create or replace function sediment.refuse_request(p_user uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_max integer;
begin
  select coalesce(l.requests_per_minute, s.requests_per_minute) into v_max
  from public.user_usage u
  join public.service_settings s on s.id
  left join public.user_limits l on l.user_id = u.user_id
  where u.user_id = p_user and u.minute_start = date_trunc('minute', v_now)
    and u.minute_requests >= coalesce(l.requests_per_minute, s.requests_per_minute);
  if found then
    perform sediment.too_many_requests(v_max, v_now);
  end if;
end $$;
