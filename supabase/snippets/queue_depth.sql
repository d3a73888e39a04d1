-- The queues: how much waits, how much is due, how late the oldest is; who is at work; when the clockwork last ran.
select q.queue, q.messages, q.due, clock_timestamp() - q.oldest_due_at as late_by from public.queue_status q;

select p.lease_worker, p.dataset_id, p."table", p.period_tag, r.step, r.progress, r.attempts,
  clock_timestamp() - p.claimed_at as at_it_for, p.lease_expires_at - clock_timestamp() as lease_left
from public.partitions p join public.processing_metrics r on r.id = p.run_id
where p.lease_expires_at is not null
order by p.claimed_at;

select j.jobname, d.status, d.start_time, d.return_message
from cron.job j
left join lateral (
  select * from cron.job_run_details x where x.jobid = j.jobid order by x.start_time desc limit 1) d on true
where j.jobname like 'sediment_%';
