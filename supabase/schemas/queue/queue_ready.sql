-- The messages of one queue that are due, oldest first, without taking or hiding them: one scan of the vt
-- index. Claiming looks here first and locks the partition before it touches the message, as everybody does;
-- pgmq.read would lock the message first. p_except: those that this call has looked at already.
create or replace function sediment.queue_ready(p_queue text, p_limit integer, p_except bigint[] default '{}')
returns table (msg_id bigint, message jsonb)
language plpgsql
set search_path = ''
as $$
begin
  for msg_id, message in execute format(
    'select m.msg_id, m.message from pgmq.%I m
     where m.vt <= $3 and m.msg_id <> all ($1) order by m.vt limit $2',
    'q_compaction_' || p_queue)
  -- a parameter, since the planner makes no index condition of the volatile clock_timestamp()
  using p_except, p_limit, clock_timestamp()
  loop
    return next;
  end loop;
end $$;
