-- A run that goes back to the queue takes over the higher priority of the demand that waits behind it: that waits
-- for this one. The caller holds the partition's lock and has freed the lease.
create or replace function sediment.promote_waiting_run(p public.partitions, p_delay_seconds integer)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_priority text;
begin
  select r.priority into v_priority from public.processing_metrics r where r.id = p.next_run_id;
  if sediment.priority_rank(v_priority) > sediment.priority_rank(p.queue) then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, v_priority, 'follow_up', p_delay_seconds);
  end if;
end $$;
