-- Adds the time of a claim that ends now to the work of its run. A lease that ran out counts until its own end; a claim
-- that only narrowed down what workers die of does not count. Returns the run's sum in seconds. The caller holds the
-- partition's lock.
create or replace function sediment.add_worked_seconds(p public.partitions)
returns double precision
language plpgsql
set search_path = ''
as $$
declare
  v_sum double precision;
begin
  update public.processing_metrics r
  set worked_seconds = r.worked_seconds + case when p.isolation is not null then 0 else 1 end * coalesce(greatest(0, extract(epoch from
    least(clock_timestamp(), p.lease_expires_at) - p.claimed_at)), 0)
  where r.id = p.run_id
  returning r.worked_seconds into strict v_sum;
  return v_sum;
end $$;
