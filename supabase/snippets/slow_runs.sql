-- The slowest of the newest 1,000 runs of a day, with the time of each step and what they did. With a larger limit it looks
-- further back, and takes as much longer.
select r.id, r.dataset_id, r."table", r.period_tag, r.status, r.completed_at - r.started_at as took,
  r.started_at - r.queued_at as waited, r.steps_ms, r.files_before, r.files_after, r.rows_after,
  pg_size_pretty(r.bytes_before) as read, pg_size_pretty(r.bytes_after) as written, r.decision, r.error_code
from (
  select * from public.processing_metrics x
  where x.queued_at > now() - interval '1 day' order by x.queued_at desc limit 1000) r
where r.operation = 'compaction' and r.started_at is not null
order by coalesce(r.completed_at, now()) - r.started_at desc
limit 50;
