-- Sends the message of a run; every producer's message has this shape. Returns its msg_id.
create or replace function sediment.queue_send(
  p_queue text, p_run uuid, p_dataset uuid, p_table text, p_period_tag text, p_delay_seconds integer
)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_message jsonb := jsonb_build_object(
    'datasetId', p_dataset,
    'triggeredAt', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'priority', p_queue,
    'metricId', p_run);
  v_id bigint;
begin
  if p_table is not null then
    v_message := v_message || jsonb_build_object('table', p_table, 'periodTag', p_period_tag);
  end if;
  select sent.id into strict v_id
  from pgmq.send(('compaction_' || p_queue)::text, v_message::jsonb, greatest(p_delay_seconds, 0)::integer)
    as sent(id);
  return v_id;
end $$;
