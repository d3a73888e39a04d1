-- The row of a queued run of one partition, where there is none yet. Runs of uploads get theirs with the claim.
create or replace function sediment.open_run(
  p_run uuid, p_dataset uuid, p_table text, p_period_tag text, p_priority text, p_trigger text
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.processing_metrics
    (id, user_id, dataset_id, "table", period_tag, operation, trigger, priority)
  select p_run, d.user_id, d.id, p_table, p_period_tag, 'compaction', p_trigger, p_priority
  from public.datasets d where d.id = p_dataset
  on conflict (id) do nothing;
end $$;
