-- The bucket of a histogram that a number of seconds falls into, as OpenMetrics names it: the least bound that is not
-- below it, or +Inf.
create or replace function sediment.bucket_of(p_seconds double precision, p_bounds double precision[])
returns text
language sql
immutable parallel safe
set search_path = ''
as $$
  select coalesce((select min(b) from unnest(p_bounds) b where b >= p_seconds)::text, '+Inf')
$$;
