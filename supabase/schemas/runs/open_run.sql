-- A new queued run of one partition.
create or replace function sediment.open_run(
  p_dataset uuid, p_table text, p_period_tag text, p_priority text, p_trigger text
)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_run uuid;
begin
  insert into public.processing_metrics
    (user_id, dataset_id, "table", period_tag, operation, trigger, priority)
  select d.user_id, d.id, p_table, p_period_tag, 'compaction', p_trigger, p_priority
  from public.datasets d where d.id = p_dataset
  returning id into strict v_run;
  return v_run;
end $$;
