-- Counts uploads in the order in which they came, and says of each that passes a limit which it is: such a one is not
-- counted. Uploads and bytes count for the dataset's owner, stages that are open for whoever has planned them. The windows are fixed ones, a minute and a UTC day; the hint names the
-- seconds until the next, for Retry-After. Stored bytes are only looked at here: they are counted at the commit.
create or replace function sediment.spend_uploads(p_calls sediment.stage_call[])
returns sediment.stage_call[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_minute constant timestamptz := date_trunc('minute', v_now);
  v_day constant timestamptz := date_trunc('day', v_now, 'UTC');
  v_done uuid[];
  v_wanted bigint;
  v_quotas sediment.user_quota[];
  v_calls sediment.stage_call[] := p_calls;
  v_call sediment.stage_call;
  r sediment.user_quota;
  v_at integer := 0;
  v_planner integer;
begin
  -- Mostly all of a user's calls fit, and one statement counts them. More than one row is locked before, in order.
  if cardinality(p_calls) > 1 then
    perform 1 from public.user_usage u
    where u.user_id = any (array(select c.user_id from unnest(p_calls) as c where c.outcome is null
      union select c.owner_id from unnest(p_calls) as c where c.outcome is null))
    order by u.user_id for no key update;
  end if;
  with wanted as materialized (
    select c.owner_id as id, count(*)::integer as uploads, sum(c.size)::bigint as bytes,
      bool_and(c.user_id = c.owner_id) as of_owner
    from unnest(p_calls) as c
    where c.outcome is null
    group by c.owner_id
  ), spent as (
    update public.user_usage u
    set minute_start = v_minute,
      minute_uploads = case when u.minute_start = v_minute then u.minute_uploads else 0 end + w.uploads,
      minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end,
      day_start = v_day, day_bytes = case when u.day_start = v_day then u.day_bytes else 0 end + w.bytes,
      open_stages = u.open_stages + w.uploads
    from wanted w
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[w.id])
    where u.user_id = any (array[w.id]) and w.of_owner
      and (case when u.minute_start = v_minute then u.minute_uploads else 0 end + w.uploads
        > coalesce(l.uploads_per_minute, s.uploads_per_minute)) is not true
      and (case when u.day_start = v_day then u.day_bytes else 0 end + w.bytes
        > coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day)) is not true
      and (u.open_stages + w.uploads > coalesce(l.open_stages_max, s.open_stages_max)) is not true
      and (coalesce(l.stored_bytes_max, s.stored_bytes_max) is null or u.asset_bytes + w.bytes + (
          select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
          where d.user_id = any (array[w.id])) <= coalesce(l.stored_bytes_max, s.stored_bytes_max))
    returning u.user_id
  )
  select coalesce(array_agg(s.user_id), '{}'), (select count(*) from wanted) into strict v_done, v_wanted from spent s;
  if cardinality(v_done) = v_wanted then
    return p_calls;
  end if;

  v_quotas := sediment.lock_user_quotas(
    array(select c.user_id from unnest(p_calls) as c where c.outcome is null and c.owner_id <> all (v_done)
      union select c.owner_id from unnest(p_calls) as c where c.outcome is null and c.owner_id <> all (v_done)), v_now);
  for v_call in
    select c.* from unnest(p_calls) as c where c.outcome is null and c.owner_id <> all (v_done) order by c.owner_id, c.n
  loop
    while v_at = 0 or v_quotas[v_at].user_id <> v_call.owner_id loop
      v_at := v_at + 1;
    end loop;
    v_planner := v_at;
    if v_call.user_id <> v_call.owner_id then
      v_planner := 1;
      while v_quotas[v_planner].user_id <> v_call.user_id loop
        v_planner := v_planner + 1;
      end loop;
    end if;
    r := v_quotas[v_planner];
    -- counted when what was planned since the last time comes to the limit, not for each
    if r.open_stages >= r.open_stages_max then
      r.open_stages := (
        select count(*) from (
          select 1 from public.objects o
          where o.user_id = any (array[r.user_id]) and o.state = 'staged' and o.user_id is not null
          limit r.open_stages_max) x);
      v_quotas[v_planner] := r;
    end if;
    r := v_quotas[v_at];
    v_call.outcome := case
      when r.minute_uploads >= r.uploads_per_minute then
        sediment.failure('rate_limited', 429,
          format('uploads_per_minute: over %s uploads a minute', r.uploads_per_minute),
          format('retry after %s s', ceil(extract(epoch from v_minute + interval '1 minute' - v_now))))
      when r.day_bytes + v_call.size > r.upload_bytes_per_day then
        sediment.failure('quota_exceeded', 429,
          format('upload_bytes_per_day: over %s uploaded bytes a day', r.upload_bytes_per_day),
          format('retry after %s s', ceil(extract(epoch from v_day + interval '1 day' - v_now))))
      when r.stored_bytes + v_call.size > r.stored_bytes_max then
        sediment.failure('quota_exceeded', 429,
          format('stored_bytes_max: %s more bytes would pass the %s that may be stored', v_call.size,
            r.stored_bytes_max), format('at most %s stored bytes', r.stored_bytes_max))
      when v_quotas[v_planner].open_stages >= v_quotas[v_planner].open_stages_max then
        sediment.failure('quota_exceeded', 429,
          format('open_stages_max: %s planned uploads were not ended', v_quotas[v_planner].open_stages),
          'uploads that are ended, or time for them to expire')
    end;
    if v_call.outcome is not null then
      v_calls[v_call.n].outcome := v_call.outcome;
      continue;
    end if;
    r.minute_uploads := r.minute_uploads + 1;
    r.day_bytes := r.day_bytes + v_call.size;
    v_quotas[v_at] := r;
    v_quotas[v_planner].open_stages := v_quotas[v_planner].open_stages + 1;
  end loop;

  update public.user_usage u
  set minute_start = v_minute, minute_uploads = x.minute_uploads,
    minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end,
    day_start = v_day, day_bytes = x.day_bytes, open_stages = x.open_stages
  from unnest(v_quotas) as x
  where u.user_id = any (array[x.user_id]);
  return v_calls;
end $$;
