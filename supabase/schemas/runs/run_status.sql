-- Where a run is. A run of a dataset that is not shared with the user is not_found, so that an id tells nothing. status is
-- one of queued, running, success, error; that of a fan-out follows from the runs that it asked for.
-- An id that is kept for uploads has no row before a worker claims it: it is queued, and as long as no plan would act its
-- step is not_due, until due_at, or until more comes where that is null.
-- Returns {instanceId, dataset_id, table, period_tag, operation, trigger, priority, status, state, step,
-- progress, decision, attempts, commits, output, error: {code, message, step}|null, children|null, queued_at,
-- started_at, completed_at, next_attempt_at, due_at|null}. Raises not_found → run_not_found.
create or replace function public.run_status(p_user uuid, p_run uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  r public.processing_metrics;
  v_kept public.partitions;
  v_children record;
  v_status text;
  v_step text;
begin
  select * into r from public.processing_metrics x where x.id = p_run;
  if not found then
    select * into v_kept from public.partitions x where coalesce(x.next_run_id, x.run_id) = p_run;
    if found then
      r := jsonb_populate_record(r, jsonb_build_object('id', p_run, 'dataset_id', v_kept.dataset_id, 'table', v_kept."table",
        'period_tag', v_kept.period_tag, 'operation', 'compaction', 'trigger', 'upload',
        'priority', coalesce(v_kept.queue, 'realtime'), 'status', 'queued', 'attempts', 0, 'commits', 0, 'step',
        case when v_kept.msg_id is null then 'not_due' end, 'queued_at', coalesce((
          select min(o.at) from unnest(v_kept.tier_oldest) as o(at)), v_kept.debt_oldest, v_kept.created_at)));
    end if;
  end if;
  if r.id is null or (p_user is not null and sediment.dataset_role(p_user, r.dataset_id) is null) then
    perform sediment.fail('run_not_found', 404, format('there is no run %s', p_run));
  end if;

  v_status := case r.status when 'queued' then 'queued' when 'running' then 'running'
    when 'success' then 'success' else 'error' end;
  v_step := r.step;
  if r.operation = 'fan_out' then
    select count(*) as total, count(c.completed_at) as done,
      count(*) filter (where c.status in ('failure', 'dlq_failure', 'timeout')) as failed
    into strict v_children
    from public.run_children k join public.processing_metrics c on c.id = k.child_id where k.parent_id = r.id;
    v_status := case
      when r.completed_at is not null and v_children.total = 0 then v_status -- the history of its runs is gone
      when r.fan_out_cursor is not null and v_children.total = 0 then 'queued'
      when r.fan_out_cursor is not null or v_children.done < v_children.total then 'running'
      when v_children.failed > 0 then 'error'
      else 'success' end;
  end if;

  return jsonb_build_object('instanceId', r.id, 'dataset_id', r.dataset_id, 'table', sediment.name_of(r.dataset_id, r."table"),
    'period_tag', r.period_tag, 'operation', r.operation, 'trigger', r.trigger, 'priority', r.priority,
    'status', v_status, 'state', r.status, 'step', v_step, 'progress', r.progress,
    -- the plan of the attempt at work, before its first commit too
    'decision', coalesce(case when r.status = 'running' then r.steps #>> '{merge,decision}' end, r.decision),
    'attempts', r.attempts, 'commits', r.commits,
    'output', case when r.operation = 'compaction' and (r.completed_at is not null or r.commits > 0) then
      coalesce(r.output, '{}') || jsonb_build_object('files_before', r.files_before, 'files_after', r.files_after,
        'row_groups_before', r.row_groups_before, 'row_groups_after', r.row_groups_after,
        'rows_before', r.rows_before, 'rows_after', r.rows_after, 'bytes_before', r.bytes_before,
        'bytes_after', r.bytes_after, 'files_quarantined', r.files_quarantined) end,
    'error', case when r.error_code is not null and r.status <> 'success' then
      jsonb_build_object('code', r.error_code, 'message', r.error_message, 'step', r.error_step) end,
    'children', case when r.operation = 'fan_out' then to_jsonb(v_children) end,
    'queued_at', r.queued_at, 'started_at', r.started_at, 'completed_at', r.completed_at,
    'next_attempt_at', (select p.ready_at from public.partitions p
      where r.status = 'queued' and p.dataset_id = r.dataset_id and p."table" = r."table"
        and p.period_tag = r.period_tag and p.run_id = r.id),
    'due_at', v_kept.due_at);
end $$;
