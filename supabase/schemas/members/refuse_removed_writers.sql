-- Refuses to commit what was staged by somebody who may not write any more: removed, or the owner before a handover.
-- Called with the datasets' rows locked, as whoever changes it does. Raises dataset_forbidden; of a group that is nobody's
-- own error, and each of its calls goes alone.
create or replace function sediment.refuse_removed_writers(p_calls sediment.commit_call[])
returns void
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_call record;
begin
  for v_call in
    select c.user_id, c.dataset_id from unnest(p_calls) as c
    join public.datasets d on d.id = any (array[c.dataset_id])
    where d.user_id <> c.user_id
  loop
    perform sediment.require_role(v_call.user_id, v_call.dataset_id, 'writer');
  end loop;
end $$;
