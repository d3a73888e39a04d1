-- Counts what was asked for against its user's limit: by the partitions that were woken for it, since each may get a row for
-- it. What goes past the limit is taken whole, so that a dataset of many partitions can be asked for at all; the next is
-- refused. Null is the service, which has none. Call it last of all that locks: the row is one that the user's uploads
-- wait for. Raises rate_limited.
create or replace function sediment.spend_request(p_user uuid, p_count integer default 1)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_minute constant timestamptz := date_trunc('minute', v_now);
  v_count constant integer := greatest(p_count, 1);
  v_max integer;
  v_requests integer;
begin
  if p_user is null then
    return;
  end if;
  select coalesce(l.requests_per_minute, s.requests_per_minute) into strict v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  insert into public.user_usage as u (user_id, minute_start, minute_uploads, day_start, day_bytes, minute_requests)
  values (p_user, v_minute, 0, date_trunc('day', v_now, 'UTC'), 0, v_count)
  on conflict (user_id) do update
  set minute_start = v_minute,
    minute_uploads = case when u.minute_start = v_minute then u.minute_uploads else 0 end,
    minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end + v_count
  returning u.minute_requests into strict v_requests;
  -- raising takes the count back with the transaction, and all that was asked for
  if v_requests - v_count >= v_max then
    perform sediment.too_many_requests(v_max, v_now);
  end if;
end $$;
