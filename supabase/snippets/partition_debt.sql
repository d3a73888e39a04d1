-- What compaction owes, the largest debts first: why, since when, and when each partition is looked at next.
select d.user_id, p.dataset_id, p."table", p.period_tag, p.state, p.debt_files, pg_size_pretty(p.debt_bytes) as debt,
  now() - p.debt_oldest as age, p.next_due_at, p.last_decision, p.last_considered_at
from public.partition_status p join public.datasets d on d.id = p.dataset_id
where p.debt_files > 0 or p.state not in ('idle', 'scheduled')
order by p.debt_files desc, p.debt_oldest
limit 100;
