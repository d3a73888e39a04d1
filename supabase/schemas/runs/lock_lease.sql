-- The whole fence, for the functions that have no replay to look up in between.
create or replace function sediment.lock_lease(p_run uuid, p_token bigint)
returns public.partitions
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
begin
  p := sediment.lock_run_partition(p_run);
  perform sediment.check_token(p, p_run, p_token);
  return p;
end $$;
