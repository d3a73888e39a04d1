-- The bucket of a histogram that a number of seconds falls into, as OpenMetrics names it: the least bound that is not
-- below it, or +Inf.
--   p_bounds: rising
create or replace function sediment.bucket_of(p_seconds double precision, p_bounds double precision[])
returns text
language plpgsql
immutable parallel safe
set search_path = ''
as $$
declare
  -- how many bounds are not above it
  v_below constant integer := width_bucket(p_seconds, p_bounds);
begin
  return coalesce(case when p_bounds[v_below] = p_seconds then p_bounds[v_below] else p_bounds[v_below + 1] end::text, '+Inf');
end $$;
