-- Refuses bytes that would pass what the user may store. At a stage it is a look (so many stages may be planned
-- at once); at a commit, where the bytes begin to count, p_final waits for the user's other commits and is exact.
-- Without a limit nothing is locked. Call it before the locks of partitions and datasets.
create or replace function sediment.check_stored(p_user uuid, p_bytes bigint, p_final boolean)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_max bigint;
begin
  select coalesce(l.stored_bytes_max, s.stored_bytes_max) into strict v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if v_max is null then
    return;
  end if;
  if p_final then
    perform sediment.lock_quota(p_user);
  end if;
  -- a statement after the lock: it sees what those that were waited for have stored
  if p_bytes + (
    select coalesce(sum(d.file_size_bytes), 0) from public.datasets d where d.user_id = p_user
  ) + (
    select coalesce(sum(a.size), 0) from public.assets a where a.user_id = p_user
  ) > v_max then
    perform sediment.fail('quota_exceeded', 429,
      format('%s more bytes would pass the %s that may be stored', p_bytes, v_max),
      format('at most %s stored bytes', v_max));
  end if;
end $$;
