-- The first half of the fence: locks the partition of a run, in a statement of its own and before anything
-- else is read.
create or replace function sediment.lock_run_partition(p_run uuid)
returns public.partitions
language plpgsql
set search_path = ''
as $$
declare
  v_key record;
  p public.partitions;
begin
  -- a run never changes its partition, so reading the key first is no read of what the lock guards
  select r.dataset_id, r."table", r.period_tag into v_key
  from public.processing_metrics r where r.id = p_run and r.operation = 'compaction';
  if not found then
    perform sediment.fail('run_not_found', 404, format('there is no run %s', p_run));
  end if;

  select * into strict p from public.partitions x
  where x.dataset_id = v_key.dataset_id and x."table" = v_key."table" and x.period_tag = v_key.period_tag
  for no key update;
  return p;
end $$;
