-- Handles a message without a table: spreads one slice of its request and leaves the message for the next, or
-- archives it after the last. False: not such a message, or somebody else is at it. A message that another
-- system sent gets its run here, under the metricId that it names; one without is the same run at each slice.
create or replace function sediment.fan_out_message(p_queue text, p_msg_id bigint, p_message jsonb)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_msg record;
  r public.processing_metrics;
begin
  select * into v_msg from sediment.parse_message(p_message);
  if v_msg.problem is not null or v_msg."table" is not null or not sediment.queue_take(p_queue, p_msg_id) then
    return false;
  end if;

  v_msg.run_id := coalesce(v_msg.run_id, md5(concat_ws(' ', p_queue, p_msg_id, p_message))::uuid);
  v_msg.priority := coalesce(v_msg.priority, p_queue);
  insert into public.processing_metrics (id, user_id, dataset_id, operation, trigger, priority, fan_out_cursor)
  select v_msg.run_id, d.user_id, d.id, 'fan_out', 'message', v_msg.priority,
    '{"after_table": "", "after_period_tag": ""}'
  from public.datasets d where d.id = v_msg.dataset_id
  on conflict (id) do nothing;

  select * into r from public.processing_metrics x where x.id = v_msg.run_id for no key update;
  if not found or r.dataset_id <> v_msg.dataset_id or r.operation <> 'fan_out' then
    perform sediment.reject_message(p_queue, p_msg_id, p_message,
      'there is no such dataset, or metricId is another run');
    return true;
  end if;

  if r.fan_out_cursor is not null then
    perform sediment.fan_out(r.id, 100);
  end if;
  if exists (select 1 from public.processing_metrics x where x.id = r.id and x.fan_out_cursor is not null) then
    perform sediment.queue_set_visibility(p_queue, p_msg_id, clock_timestamp() + interval '1 second');
  else
    perform sediment.queue_archive(p_queue, p_msg_id);
  end if;
  return true;
end $$;
