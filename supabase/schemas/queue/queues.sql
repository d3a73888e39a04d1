-- Three queues, since pgmq knows no priorities, and one for dead letters, which only alerts.
do $$
declare
  v_name text;
begin
  foreach v_name in array
    array['compaction_manual', 'compaction_realtime', 'compaction_scheduled', 'compaction_dlq']
  loop
    if not exists (select 1 from pgmq.meta m where m.queue_name = v_name) then
      perform pgmq.create(v_name::text);
    end if;
    -- Queues are not exposed through PostgREST; the tables are reached by our functions only.
    execute format('alter table pgmq.%I enable row level security', 'q_' || v_name);
    execute format('alter table pgmq.%I enable row level security', 'a_' || v_name);
    -- the sweep asks whether a request for a whole dataset has its message; these are few
    if v_name <> 'compaction_dlq' then
      execute format('create index if not exists %I on pgmq.%I ((message ->> ''metricId''))
        where message -> ''table'' is null', v_name || '_fan_out', 'q_' || v_name);
    end if;
  end loop;
end $$;

-- The weights 6:3:1 are dealt from a sequence: no lock, no randomness, and each tenth turn is a scheduled one's.
create sequence if not exists sediment.queue_turn;

-- The waiting messages of the three queues, by the columns that all pgmq versions have.
create or replace view sediment.queue_messages with (security_invoker = true) as
  select 'manual'::text as queue, m.msg_id, m.vt, m.enqueued_at, m.message from pgmq.q_compaction_manual m
  union all
  select 'realtime'::text, m.msg_id, m.vt, m.enqueued_at, m.message from pgmq.q_compaction_realtime m
  union all
  select 'scheduled'::text, m.msg_id, m.vt, m.enqueued_at, m.message from pgmq.q_compaction_scheduled m;
