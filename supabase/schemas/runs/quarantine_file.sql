-- Sets one bad file of a claimed partition aside, with the reason: it stays listed and marked, and the rest
-- compacts. Returns {file_id, state, changed}. Raises lease_lost, run_finished, inputs_changed.
create or replace function public.quarantine_file(
  p_run uuid, p_token bigint, p_file bigint, p_code text, p_reason text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_changed boolean;
begin
  p := sediment.lock_lease(p_run, p_token);
  update public.battle_files f
  set state = 'quarantined', quarantine_code = left(p_code, 100), quarantine_reason = left(p_reason, 2000),
    quarantined_at = clock_timestamp()
  where f.id = p_file and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
    and f.removed_version is null and f.state = 'active';
  v_changed := found;
  if not v_changed and not exists (
    select 1 from public.battle_files f where f.id = p_file and f.dataset_id = p.dataset_id
      and f."table" = p."table" and f.period_tag = p.period_tag and f.removed_version is null)
  then
    perform sediment.fail('inputs_changed', 409, format('file %s is not visible in the partition', p_file));
  end if;
  -- A file set aside is progress, as a committed output is, and happens once a file: a turn that met nothing but
  -- bad ones is no failed attempt (found by the simulation: three such turns buried the sound rest).
  update public.processing_metrics r
  set files_quarantined = r.files_quarantined + v_changed::integer,
    attempts = case when v_changed then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('file_id', p_file, 'state', 'quarantined', 'changed', v_changed);
end $$;
