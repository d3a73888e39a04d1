-- The advisory lock of who counts what a user has and then adds to it (lock_quota, try_lock_quota).
create or replace function sediment.quota_key(p_user uuid)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select pg_catalog.hashtextextended('sediment quota ' || p_user, 0)
$$;
