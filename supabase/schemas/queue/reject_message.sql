-- A message that nobody can work on goes to the dead letters at once. The caller has taken it.
create or replace function sediment.reject_message(p_queue text, p_msg_id bigint, p_message jsonb, p_problem text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_letter bigint;
begin
  insert into public.dead_letters (queue, error_code, error_message, message, first_failed_at, last_failed_at)
  values (p_queue, 'invalid_message', p_problem,
    case when octet_length(p_message::text) <= 16384 then p_message
      else jsonb_build_object('truncated', left(p_message::text, 2000)) end,
    clock_timestamp(), clock_timestamp())
  returning id into strict v_letter;
  perform sediment.queue_archive(p_queue, p_msg_id);
  perform sent.id from pgmq.send('compaction_dlq'::text,
    jsonb_build_object('deadLetterId', v_letter, 'errorCode', 'invalid_message')::jsonb, 0::integer) as sent(id);
end $$;
