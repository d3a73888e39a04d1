-- A dead letter as list_dead_letters shows it, and when it was written, in microseconds, for the cursor.
create or replace function sediment.letter_json(l public.dead_letters)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object('id', l.id, 'dataset_id', l.dataset_id, 'table', sediment.name_of(l.dataset_id, l."table"),
    'period_tag', l.period_tag, 'run_id', l.run_id, 'error_code', l.error_code, 'error_message', l.error_message,
    'error_step', l.error_step, 'attempts', l.attempts, 'first_failed_at', l.first_failed_at,
    'last_failed_at', l.last_failed_at, 'at', (extract(epoch from l.created_at) * 1000000)::bigint);
end $$;
