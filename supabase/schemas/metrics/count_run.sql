-- Counts a run that ends, by what has come of it. merged: it has replaced files; idle: it found nothing to do; joined:
-- another run did it; else its status. Runs of a whole dataset are fan_out.
create or replace function sediment.count_run()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_outcome constant text := case
    when new.operation = 'fan_out' then 'fan_out'
    when new.status <> 'success' then new.status
    when new.files_before > 0 then 'merged'
    when new.output ? 'joined' then 'joined'
    else 'idle' end;
  v_seconds constant double precision := extract(epoch from new.completed_at - new.started_at);
  v_lag constant double precision := extract(epoch from new.completed_at - new.queued_at);
begin
  insert into public.metric_deltas (metric, label, events, amount)
  select x.metric, x.label, x.events, x.amount
  from (values
    ('runs', v_outcome, 1::bigint, 0::double precision),
    ('run_seconds', case when v_seconds is not null and v_outcome <> 'fan_out' then
      sediment.bucket_of(v_seconds, '{0.1,0.25,0.5,1,2.5,5,10,30,60,300}') end, 1, v_seconds),
    ('merge_lag_seconds', case when v_outcome = 'merged' then
      sediment.bucket_of(v_lag, '{1,5,15,60,300,900,3600,21600,86400,604800}') end, 1, v_lag),
    ('merged_files', case when new.files_before > 0 then 'input' end, new.files_before, new.bytes_before),
    ('merged_files', case when new.files_before > 0 then 'output' end, new.files_after, new.bytes_after),
    ('quarantined_files', case when new.files_quarantined > 0 then '' end, new.files_quarantined, 0)
  ) as x(metric, label, events, amount)
  where x.label is not null;
  return null;
end $$;

create or replace trigger count_run
  after update of completed_at on public.processing_metrics
  for each row when (old.completed_at is null and new.completed_at is not null)
  execute function sediment.count_run();
