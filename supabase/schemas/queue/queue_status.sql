-- Depth and age of the queues, for operators; it counts every message, so the clockwork does not use it.
create or replace view public.queue_status with (security_invoker = true) as
  select q.name as queue, count(m.msg_id) as messages,
    count(m.msg_id) filter (where m.vt <= clock_timestamp()) as due,
    min(m.vt) filter (where m.vt <= clock_timestamp()) as oldest_due_at, max(m.enqueued_at) as newest_at
  from (values ('manual'), ('realtime'), ('scheduled')) as q(name)
  left join sediment.queue_messages m on m.queue = q.name
  group by q.name;
