-- Depth and age of the queues, for operators. Up to 1,000 messages are counted, and so are those that are not due; how many
-- more there are is the planner's estimate; where 1,000 are due and 1,000 are not, 1,000 or more are due. statement_timestamp, since the planner makes no index condition of the volatile
-- clock_timestamp().
create or replace view public.queue_status with (security_invoker = true) as
  select q.name as queue, q.messages,
    case when q.messages < 1000 or q.due < 1000 or q.hidden = 1000 then q.due else greatest(q.messages - q.hidden, q.due) end as due,
    case when q.first_vt <= statement_timestamp() then q.first_vt end as oldest_due_at, q.newest_at
  from (
    select 'manual'::text as name,
      (select case when count(*) < 1000 then count(*) else greatest(count(*), (
          select c.reltuples::bigint from pg_catalog.pg_class c where c.oid = 'pgmq.q_compaction_manual'::regclass)) end
        from (select 1 from pgmq.q_compaction_manual m limit 1000) x) as messages,
      (select count(*) from (
        select 1 from pgmq.q_compaction_manual m where m.vt <= statement_timestamp() limit 1000) x) as due,
      (select count(*) from (
        select 1 from pgmq.q_compaction_manual m where m.vt > statement_timestamp() limit 1000) x) as hidden,
      (select min(m.vt) from pgmq.q_compaction_manual m) as first_vt,
      (select m.enqueued_at from pgmq.q_compaction_manual m order by m.msg_id desc limit 1) as newest_at
    union all
    select 'realtime'::text as name,
      (select case when count(*) < 1000 then count(*) else greatest(count(*), (
          select c.reltuples::bigint from pg_catalog.pg_class c where c.oid = 'pgmq.q_compaction_realtime'::regclass)) end
        from (select 1 from pgmq.q_compaction_realtime m limit 1000) x) as messages,
      (select count(*) from (
        select 1 from pgmq.q_compaction_realtime m where m.vt <= statement_timestamp() limit 1000) x) as due,
      (select count(*) from (
        select 1 from pgmq.q_compaction_realtime m where m.vt > statement_timestamp() limit 1000) x) as hidden,
      (select min(m.vt) from pgmq.q_compaction_realtime m) as first_vt,
      (select m.enqueued_at from pgmq.q_compaction_realtime m order by m.msg_id desc limit 1) as newest_at
    union all
    select 'scheduled'::text as name,
      (select case when count(*) < 1000 then count(*) else greatest(count(*), (
          select c.reltuples::bigint from pg_catalog.pg_class c where c.oid = 'pgmq.q_compaction_scheduled'::regclass)) end
        from (select 1 from pgmq.q_compaction_scheduled m limit 1000) x) as messages,
      (select count(*) from (
        select 1 from pgmq.q_compaction_scheduled m where m.vt <= statement_timestamp() limit 1000) x) as due,
      (select count(*) from (
        select 1 from pgmq.q_compaction_scheduled m where m.vt > statement_timestamp() limit 1000) x) as hidden,
      (select min(m.vt) from pgmq.q_compaction_scheduled m) as first_vt,
      (select m.enqueued_at from pgmq.q_compaction_scheduled m order by m.msg_id desc limit 1) as newest_at
  ) q;
