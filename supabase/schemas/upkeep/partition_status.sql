-- What each partition owes, what the planner last thought of it, and when it is looked at next. With many partitions, ask
-- for those of a dataset, or by the age of the debt (where debt_oldest is not null order by debt_oldest limit 100).
-- statement_timestamp, since a view with a volatile function is read whole before it is sorted and cut.
create or replace view public.partition_status with (security_invoker = true) as
  select p.dataset_id, p."table", p.period_tag,
    case
      when p.lease_expires_at > statement_timestamp() then 'running'
      when p.lease_expires_at is not null then 'expired'
      when p.msg_id is not null and p.ready_at > statement_timestamp() then 'waiting'
      when p.msg_id is not null then 'queued'
      when p.dead_since is not null then 'dead'
      when p.due_at is not null then 'scheduled'
      else 'idle'
    end as state,
    case when p.debt_oldest is not null then p.debt_files else 0 end as debt_files,
    case when p.debt_oldest is not null then p.debt_bytes else 0 end as debt_bytes, p.debt_oldest, p.demand_seq - p.done_seq as unseen_demand, p.queue,
    p.run_id, p.next_run_id, coalesce(p.ready_at, p.due_at) as next_due_at, p.lease_worker, p.lease_expires_at,
    p.last_decision, p.last_considered_at, p.dead_since, p.left_alone_files
  from public.partitions p;
