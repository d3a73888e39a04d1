-- Sends the message of a run that was waiting behind another, and makes it the partition's live one. The caller
-- holds the partition's lock, and the partition has no message.
create or replace function sediment.activate_waiting_run(
  p_dataset uuid, p_table text, p_period_tag text, p_run uuid, p_priority text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_delay integer := 0;
  v_ready timestamptz;
begin
  if p_priority = 'realtime' then
    select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
  end if;
  -- before the send: a message never shows before its partition says that it is ready
  v_ready := clock_timestamp() + make_interval(secs => v_delay);
  update public.partitions x
  set run_id = p_run, queue = p_priority, due_at = null, dead_since = null, next_run_id = null,
    ready_at = v_ready, debt_oldest = case when x.debt_files > 0 then coalesce(x.debt_oldest,
      (select min(o.at) from unnest(x.tier_oldest) as o(at)), clock_timestamp()) end,
    msg_id = sediment.queue_send(p_priority, p_run, p_dataset, p_table, p_period_tag, v_delay)
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
end $$;
