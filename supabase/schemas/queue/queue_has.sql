-- Whether a queue has a message, whoever has it: one look by its key, however many wait.
create or replace function sediment.queue_has(p_queue text, p_msg_id bigint)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  v_has boolean;
begin
  execute format('select exists (select 1 from pgmq.%I m where m.msg_id = $1)', 'q_compaction_' || p_queue)
  into v_has using p_msg_id;
  return v_has;
end $$;
