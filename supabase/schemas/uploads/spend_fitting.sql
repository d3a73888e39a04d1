-- Counts uploads of a user to datasets of their own, all of them, where they fit every limit; false, with nothing counted, where
-- one doesn't, or where the user has no row yet: sediment.spend_uploads, whose statement asks the same of many, finds out which and
-- what to say. Call it last of all
-- that locks.
create or replace function sediment.spend_fitting(p_user uuid, p_uploads integer, p_bytes bigint, p_now timestamptz)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_minute constant timestamptz := date_trunc('minute', p_now);
  v_day constant timestamptz := date_trunc('day', p_now, 'UTC');
  v_uploads integer;
  v_day_bytes bigint;
  v_stored bigint;
  v_stages integer;
begin
  select coalesce(l.uploads_per_minute, s.uploads_per_minute), coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day),
    coalesce(l.stored_bytes_max, s.stored_bytes_max), coalesce(l.open_stages_max, s.open_stages_max)
  into strict v_uploads, v_day_bytes, v_stored, v_stages
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if v_stored is not null then
    v_stored := v_stored - p_bytes - (
      select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d where d.user_id = p_user);
  end if;
  update public.user_usage u
  set minute_start = v_minute,
    minute_uploads = case when u.minute_start = v_minute then u.minute_uploads else 0 end + p_uploads,
    minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end,
    day_start = v_day, day_bytes = case when u.day_start = v_day then u.day_bytes else 0 end + p_bytes,
    open_stages = u.open_stages + p_uploads
  where u.user_id = p_user
    and (case when u.minute_start = v_minute then u.minute_uploads else 0 end + p_uploads > v_uploads) is not true
    and (case when u.day_start = v_day then u.day_bytes else 0 end + p_bytes > v_day_bytes) is not true
    and (u.open_stages + p_uploads > v_stages) is not true and (u.asset_bytes > v_stored) is not true;
  return found;
end $$;
