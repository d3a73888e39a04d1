-- Depth and age of the queues, for operators. Counts stop at 10,000: more than that says no more, and would be read.
-- statement_timestamp, since the planner makes no index condition of the volatile clock_timestamp().
create or replace view public.queue_status with (security_invoker = true) as
  select q.name as queue, q.messages, q.due,
    case when q.first_vt <= statement_timestamp() then q.first_vt end as oldest_due_at, q.newest_at
  from (
    select 'manual'::text as name,
      (select count(*) from (select 1 from pgmq.q_compaction_manual m limit 10000) x) as messages,
      (select count(*) from (
        select 1 from pgmq.q_compaction_manual m where m.vt <= statement_timestamp() limit 10000) x) as due,
      (select min(m.vt) from pgmq.q_compaction_manual m) as first_vt,
      (select m.enqueued_at from pgmq.q_compaction_manual m order by m.msg_id desc limit 1) as newest_at
    union all
    select 'realtime'::text as name,
      (select count(*) from (select 1 from pgmq.q_compaction_realtime m limit 10000) x) as messages,
      (select count(*) from (
        select 1 from pgmq.q_compaction_realtime m where m.vt <= statement_timestamp() limit 10000) x) as due,
      (select min(m.vt) from pgmq.q_compaction_realtime m) as first_vt,
      (select m.enqueued_at from pgmq.q_compaction_realtime m order by m.msg_id desc limit 1) as newest_at
    union all
    select 'scheduled'::text as name,
      (select count(*) from (select 1 from pgmq.q_compaction_scheduled m limit 10000) x) as messages,
      (select count(*) from (
        select 1 from pgmq.q_compaction_scheduled m where m.vt <= statement_timestamp() limit 10000) x) as due,
      (select min(m.vt) from pgmq.q_compaction_scheduled m) as first_vt,
      (select m.enqueued_at from pgmq.q_compaction_scheduled m order by m.msg_id desc limit 1) as newest_at
  ) q;
