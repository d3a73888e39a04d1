-- What compaction owes, the oldest debts first: why, since when, and when each partition is looked at next.
select d.user_id, p.dataset_id, p."table", p.period_tag, p.state, p.debt_files, pg_size_pretty(p.debt_bytes) as debt,
  now() - p.debt_oldest as age, p.next_due_at, p.last_decision, p.last_considered_at
from public.partition_status p join public.datasets d on d.id = p.dataset_id
where p.debt_oldest is not null
order by p.debt_oldest
limit 100;

-- The largest of the 1,000 oldest.
select o.* from (
  select p.dataset_id, p."table", p.period_tag, p.state, p.debt_files, p.debt_bytes, p.debt_oldest
  from public.partition_status p where p.debt_oldest is not null order by p.debt_oldest limit 1000) o
order by o.debt_bytes desc limit 20;
