-- As sediment.lock_quota, for who holds what those wait for that have it: never waits. Returns whether it has the lock.
create or replace function sediment.try_lock_quota(p_user uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  return pg_catalog.pg_try_advisory_xact_lock(sediment.quota_key(p_user));
end $$;
