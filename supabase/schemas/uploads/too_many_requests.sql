-- The refusal of a request over its user's limit. Raises rate_limited, always.
create or replace function sediment.too_many_requests(p_max integer, p_now timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform sediment.fail('rate_limited', 429, format('requests_per_minute: over %s requests a minute', p_max),
    format('retry after %s s',
      ceil(extract(epoch from date_trunc('minute', p_now) + interval '1 minute' - p_now))));
end $$;
