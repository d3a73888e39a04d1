-- What was given up on, by error class, then each one; and how to give them another run.
select * from public.dead_letter_summary order by open desc;

select l.id, l.error_code, l.error_step, l.attempts, l.dataset_id, l."table", l.period_tag, l.run_id, l.error_message,
  l.first_failed_at, l.last_failed_at
from public.dead_letters l where l.resolved_at is null
order by l.created_at desc limit 100;

-- select public.redrive_dead_letters(null, array[1, 2, 3]);
-- select public.redrive_dead_letters(null, null, '{"error_code": "internal"}');
