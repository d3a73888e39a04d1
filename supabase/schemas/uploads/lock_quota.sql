-- One at a time of those that count what a user has and then add to it; held to the end of the transaction.
create or replace function sediment.lock_quota(p_user uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_catalog.pg_advisory_xact_lock(sediment.quota_key(p_user));
end $$;
