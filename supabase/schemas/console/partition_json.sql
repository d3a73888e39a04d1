-- A partition as the console shows it: how it is, what it owes, what was decided last, in words, and, where its run was
-- given up, why: {dataset_id, dataset_name, table, period_tag, state, debt_files, debt_bytes, debt_oldest|null,
-- next_due_at|null, run_id|null, last_decision|null, last_considered_at|null, dead_since|null, left_alone_files,
-- error: {letter_id, code, message, step, attempts, failed_at}|null}.
create or replace function sediment.partition_json(p_dataset uuid, p_table text, p_period_tag text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object('dataset_id', s.dataset_id, 'dataset_name', d.name,
      'table', sediment.name_of(s.dataset_id, s."table"), 'period_tag', s.period_tag, 'state', s.state,
      'debt_files', s.debt_files, 'debt_bytes', s.debt_bytes, 'debt_oldest', s.debt_oldest, 'next_due_at', s.next_due_at,
      'run_id', s.run_id, 'last_decision', s.last_decision, 'last_considered_at', s.last_considered_at,
      'dead_since', s.dead_since, 'left_alone_files', s.left_alone_files,
      'error', case when s.state = 'dead' then (
        select jsonb_build_object('letter_id', l.id, 'code', l.error_code, 'message', l.error_message,
          'step', l.error_step, 'attempts', l.attempts, 'failed_at', l.last_failed_at)
        from public.dead_letters l
        where l.dataset_id = s.dataset_id and l."table" = s."table" and l.period_tag = s.period_tag
          and l.resolved_at is null
        order by l.id desc limit 1) end)
    from public.partition_status s join public.datasets d on d.id = s.dataset_id
    where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag);
end $$;
