-- What users may still upload, sorted by user. Their rows in user_usage are made where they are absent, and locked, in
-- order: what is read here stays true until the transaction ends. Call it last of all that locks.
create or replace function sediment.lock_user_quotas(p_users uuid[], p_now timestamptz)
returns sediment.user_quota[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
declare
  v_minute constant timestamptz := date_trunc('minute', p_now);
  v_day constant timestamptz := date_trunc('day', p_now, 'UTC');
begin
  insert into public.user_usage (user_id, minute_start, minute_uploads, day_start, day_bytes)
  select w.id, v_minute, 0, v_day, 0 from unnest(p_users) as w(id)
  where not exists (select 1 from public.user_usage u where u.user_id = any (array[w.id]))
  order by w.id
  on conflict (user_id) do nothing;
  perform 1 from public.user_usage u where u.user_id = any (p_users) order by u.user_id for no key update;
  -- a statement after the locks: it sees what those that were waited for have spent
  return (
    select array_agg(row(u.user_id,
      coalesce(l.uploads_per_minute, s.uploads_per_minute),
      case when u.minute_start = v_minute then u.minute_uploads else 0 end,
      coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day),
      case when u.day_start = v_day then u.day_bytes else 0 end,
      coalesce(l.stored_bytes_max, s.stored_bytes_max),
      u.asset_bytes + (
        select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
        where d.user_id = any (array[u.user_id])),
      coalesce(l.open_stages_max, s.open_stages_max), u.open_stages
      )::sediment.user_quota order by u.user_id)
    from public.user_usage u
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[u.user_id])
    where u.user_id = any (p_users));
end $$;
