-- Files that could not be merged, and why; and how to give them another chance.
select q.dataset_id, q."table", q.period_tag, q.id, q.quarantine_code, q.quarantine_reason, q.quarantined_at,
  q.row_count, pg_size_pretty(q.byte_length) as size, q.object_key
from public.quarantined_files q
order by q.quarantined_at desc limit 100;

-- select public.retry_quarantined(null, '<dataset id>');
-- select public.retry_quarantined(null, '<dataset id>', array[1, 2, 3]);
