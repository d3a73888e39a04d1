-- Locks a message that no partition knows, if nobody else has it. Never waits, so it may be called by a
-- transaction that holds anything.
create or replace function sediment.queue_take(p_queue text, p_msg_id bigint)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_one integer;
begin
  execute format('select 1 from pgmq.%I m where m.msg_id = $1 for update skip locked', 'q_compaction_' || p_queue)
  into v_one using p_msg_id;
  return v_one is not null;
end $$;
