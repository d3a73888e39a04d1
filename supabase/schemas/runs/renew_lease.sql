-- Extends the lease and the message's vt. Returns {lease_expires_at, lease_seconds}. Raises lease_lost, run_finished,
-- run_timeout (the run's hard limit is reached).
create or replace function public.renew_lease(p_run uuid, p_token bigint, p_seconds integer default 300)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_until timestamptz;
begin
  if p_seconds is null or p_seconds not between 1 and 3600 then
    perform sediment.fail('invalid_request', 400, format('p_seconds is %s', p_seconds), '1 to 3600');
  end if;
  v_until := sediment.extend_lease(sediment.lock_lease(p_run, p_token), p_seconds);
  return jsonb_build_object('lease_expires_at', v_until,
    'lease_seconds', greatest(0, extract(epoch from v_until - clock_timestamp())));
end $$;
