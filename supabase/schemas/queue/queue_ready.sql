-- The messages of one queue that are due, oldest first, without taking or hiding them: one scan of the vt
-- index. Claiming looks here first and locks the partition before it touches the message, as everybody does;
-- pgmq.read would lock the message first. p_except: those that this call has looked at already.
-- A statement for each queue, whose plan is kept: to make it took longer than to look. It is made while a queue may be
-- empty, so that only the index may serve it.
create or replace function sediment.queue_ready(p_queue text, p_limit integer, p_except bigint[] default '{}')
returns table (msg_id bigint, message jsonb)
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_sort = off
set plan_cache_mode = force_generic_plan
as $$
declare
  -- a variable, since the planner makes no index condition of the volatile clock_timestamp()
  v_now constant timestamptz := clock_timestamp();
begin
  case p_queue
    when 'manual' then
      return query select m.msg_id, m.message from pgmq.q_compaction_manual m
      where m.vt <= v_now and m.msg_id <> all (p_except) order by m.vt limit p_limit;
    when 'realtime' then
      return query select m.msg_id, m.message from pgmq.q_compaction_realtime m
      where m.vt <= v_now and m.msg_id <> all (p_except) order by m.vt limit p_limit;
    when 'scheduled' then
      return query select m.msg_id, m.message from pgmq.q_compaction_scheduled m
      where m.vt <= v_now and m.msg_id <> all (p_except) order by m.vt limit p_limit;
  end case;
end $$;
