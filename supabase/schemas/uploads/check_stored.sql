-- Refuses bytes that would pass what the user may store: files, those that an output replaced and that are still kept,
-- and assets. It waits for the user's other commits near the limit, where they could pass it together. Call it before
-- the locks of partitions and datasets.
create or replace function sediment.check_stored(p_user uuid, p_bytes bigint)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_max bigint;
begin
  select coalesce(l.stored_bytes_max, s.stored_bytes_max) into strict v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if v_max is null or not sediment.is_near_quota(p_user, p_bytes, v_max) then
    return;
  end if;
  perform sediment.lock_quota(p_user);
  -- a statement after the lock: it sees what those that were waited for have stored
  if p_bytes + sediment.stored_bytes(p_user) > v_max then
    perform sediment.fail('quota_exceeded', 429,
      format('stored_bytes_max: %s more bytes would pass the %s that may be stored', p_bytes, v_max),
      format('at most %s stored bytes', v_max));
  end if;
end $$;
