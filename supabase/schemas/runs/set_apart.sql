-- Remembers of files of a claimed partition that a merge has set them apart, sound as they are: plans go by it until a newer
-- planner comes. They stay active and listed.
--   p_files: [{id, object_key (where the worker read it), kind: 'schema'|'values'|'memory', reason}], at most 20000; those
--     that are not visible any more, in quarantine or elsewhere are left as they are
--   p_planner: the version of the planner
-- Returns {changed: files that were not marked so before}. Raises lease_lost, run_finished, invalid_request.
create or replace function public.set_apart(p_run uuid, p_token bigint, p_files jsonb, p_planner integer)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_changed integer;
begin
  if p_planner is null or jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) > 20000
    or exists (select 1 from jsonb_to_recordset(p_files) as m(id bigint, object_key text, kind text, reason text)
      where m.id is null or m.object_key is null or m.reason is null
        or coalesce(m.kind, '') not in ('schema', 'values', 'memory'))
  then
    perform sediment.fail('invalid_request', 400, 'p_files is not an array of files with id, object_key, kind and reason');
  end if;
  p := sediment.lock_lease(p_run, p_token);
  update public.battle_files f
  set apart = jsonb_build_object('kind', m.kind, 'reason', left(m.reason, 500), 'planner', p_planner)
  from jsonb_to_recordset(p_files) as m(id bigint, object_key text, kind text, reason text)
  where f.id = m.id and f.object_key = m.object_key and f.dataset_id = p.dataset_id and f."table" = p."table"
    and f.period_tag = p.period_tag and f.removed_version is null and f.state = 'active'
    and (f.apart is null or f.apart ->> 'kind' <> m.kind or (f.apart -> 'planner')::integer <> p_planner);
  get diagnostics v_changed = row_count;
  -- A file that is planned otherwise from now on is progress, as one in quarantine is, and happens once a planner.
  update public.processing_metrics r set attempts = case when v_changed > 0 then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('changed', v_changed);
end $$;
