-- One run in order: what run_status says, how long its steps took, and its outputs with what each was made of.
-- Returns run_status's object and {worker|null, steps_ms: {step: ms}, worked_seconds, first_failed_at|null,
-- last_failed_at|null, outputs: [{ordinal, committed_at, file_id|null, rows|null, bytes|null, row_groups|null, level|null,
-- inputs|null}]}. Raises run_not_found.
create or replace function public.run_timeline(p_user uuid, p_run uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_status constant jsonb := public.run_status(p_user, p_run);
begin
  return v_status || coalesce((
    select jsonb_build_object('worker', r.worker, 'steps_ms', r.steps_ms, 'worked_seconds', r.worked_seconds,
      'first_failed_at', r.first_failed_at, 'last_failed_at', r.last_failed_at, 'outputs', (
        select coalesce(jsonb_agg(jsonb_build_object('ordinal', c.ordinal, 'committed_at', c.committed_at,
          'file_id', c.file_id, 'rows', f.row_count, 'bytes', f.byte_length, 'row_groups', f.row_group_count,
          'level', f.level, 'inputs', f.input_count) order by c.ordinal), '[]')
        from (select * from public.run_commits y where y.run_id = r.id order by y.ordinal limit 200) c
        left join public.battle_files f on f.id = c.file_id))
    from public.processing_metrics r where r.id = p_run),
    '{"worker": null, "steps_ms": {}, "worked_seconds": 0, "first_failed_at": null, "last_failed_at": null, "outputs": []}');
end $$;
