-- How many pings of a path wait in pg_net's queue, up to 100. Definer, since the queue is its owner's; where even that
-- one may not look, none are known of.
create or replace function sediment.pings_queued(p_path text)
returns integer
language plpgsql
security definer
set search_path = ''
as $$
begin
  return (select count(*) from (
    select 1 from net.http_request_queue q where q.url like '%' || p_path limit 100) x);
exception when insufficient_privilege or undefined_table then
  return 0;
end $$;
