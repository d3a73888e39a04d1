-- Whoever looks for due messages uses a plan that is kept, of each queue its own.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION sediment.queue_ready(p_queue text, p_limit integer, p_except bigint[] DEFAULT '{}'::bigint[])
 RETURNS TABLE(msg_id bigint, message jsonb)
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_sort TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
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
end $function$;
