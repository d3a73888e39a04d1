-- Counts one upload against the user's limits. Without limits nothing is written: the row would be a lock that
-- all uploads of a user wait for. The windows are fixed ones, a minute and a UTC day; the hint names the
-- seconds until the next, for Retry-After.
create or replace function sediment.spend_upload(p_user uuid, p_bytes bigint)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_limits record;
  v_usage public.user_usage;
  v_now timestamptz := clock_timestamp();
  v_minute timestamptz := date_trunc('minute', v_now);
  v_day timestamptz := date_trunc('day', v_now, 'UTC');
begin
  perform sediment.check_stored(p_user, p_bytes, false);
  select coalesce(l.uploads_per_minute, s.uploads_per_minute) as per_minute,
    coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day) as per_day
  into strict v_limits
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;

  if v_limits.per_minute is null and v_limits.per_day is null then
    return;
  end if;

  insert into public.user_usage as u (user_id, minute_start, minute_uploads, day_start, day_bytes)
  values (p_user, v_minute, 1, v_day, p_bytes)
  on conflict (user_id) do update
  set minute_start = v_minute,
    minute_uploads = case when u.minute_start = v_minute then u.minute_uploads else 0 end + 1,
    day_start = v_day,
    day_bytes = case when u.day_start = v_day then u.day_bytes else 0 end + p_bytes
  returning * into v_usage;

  -- raising takes the count back with the transaction: a refused upload is not spent
  if v_usage.minute_uploads > v_limits.per_minute then
    perform sediment.fail('rate_limited', 429, format('over %s uploads a minute', v_limits.per_minute),
      format('retry after %s s', ceil(extract(epoch from v_minute + interval '1 minute' - v_now))));
  end if;
  if v_usage.day_bytes > v_limits.per_day then
    perform sediment.fail('quota_exceeded', 429, format('over %s uploaded bytes a day', v_limits.per_day),
      format('retry after %s s', ceil(extract(epoch from v_day + interval '1 day' - v_now))));
  end if;
end $$;
