-- What the store should delete now, and why; commit_vacuum is told what was deleted. A dry run does all of it,
-- answers, and takes it back: what it lists is what a real run would do at this moment.
--   p_dataset: only this one's
-- Returns {dry_run, versions: [{dataset_id, oldest_kept_version, vacuumable_version, retention_seconds}],
-- files_dropped, delete: [{object_key, kind, state, size, reason}], more}. Call again while more (not in a dry run).
create or replace function public.plan_vacuum(
  p_limit integer default 500, p_dry_run boolean default false, p_dataset uuid default null
)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
declare
  v_plan jsonb;
begin
  begin
    v_plan := sediment.run_vacuum(least(greatest(coalesce(p_limit, 500), 1), 5000), p_dataset);
    if p_dry_run then
      raise exception using errcode = 'SDDRY';
    end if;
  exception when sqlstate 'SDDRY' then
    null; -- the block's changes are undone, the variable keeps the plan
  end;
  return v_plan || jsonb_build_object('dry_run', p_dry_run);
end $$;
