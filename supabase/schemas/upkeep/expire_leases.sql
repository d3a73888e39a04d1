-- Takes back the leases of workers that went silent: the token rises, the run waits for its next attempt or is
-- dead-lettered. Bounded; what somebody else holds is being taken care of. Returns {expired, dead, more}.
create or replace function public.expire_leases(p_limit integer default 200)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  p public.partitions;
  v_expired integer := 0;
  v_dead integer := 0;
  v_now timestamptz := clock_timestamp();
begin
  perform sediment.beat_clockwork();
  for p in
    select * from public.partitions x where x.lease_expires_at <= v_now
    order by x.lease_expires_at limit p_limit
    for no key update skip locked
  loop
    v_expired := v_expired + 1;
    if sediment.lose_worker(p) ->> 'status' = 'dead'
    then
      v_dead := v_dead + 1;
    end if;
  end loop;
  return jsonb_build_object('expired', v_expired, 'dead', v_dead, 'more', v_expired = p_limit);
end $$;
