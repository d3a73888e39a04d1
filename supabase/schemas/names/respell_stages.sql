-- Calls of stage_upload as the catalog spells them: tables by their first names, in the offsets' digest too; and where
-- p_own_dataset asks for it, the user's own dataset in place of another user's (sediment.own_dataset_of).
create or replace function sediment.respell_stages(p_calls jsonb)
returns jsonb
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
declare
  v_calls jsonb := p_calls;
begin
  if jsonb_path_exists(v_calls, '$[*].p_own_dataset ? (@ == true)') then
    select jsonb_agg(case
      when (c.value ->> 'p_own_dataset')::boolean and c.value ->> 'p_user' is not null
        and exists (select 1 from public.datasets d where d.id = (c.value ->> 'p_dataset')::uuid)
        and not sediment.role_suffices(
          sediment.dataset_role((c.value ->> 'p_user')::uuid, (c.value ->> 'p_dataset')::uuid), 'writer')
      then c.value || jsonb_build_object('p_dataset', sediment.own_dataset_of((c.value ->> 'p_user')::uuid,
        (c.value ->> 'p_dataset')::uuid))
      else c.value end order by c.n)
    into strict v_calls
    from jsonb_array_elements(v_calls) with ordinality as c(value, n);
  end if;
  if not exists (
    select 1 from jsonb_array_elements(v_calls) as c
    join public.datasets d on d.id = any (array[(c ->> 'p_dataset')::uuid]) where d.has_aliases)
  then
    return v_calls;
  end if;
  return (
    select jsonb_agg(c.value || jsonb_build_object(
      'p_table', sediment.table_of((c.value ->> 'p_dataset')::uuid, c.value ->> 'p_table'),
      'p_offsets_digest', case when jsonb_typeof(c.value -> 'p_offsets') = 'array'
        then sediment.offsets_digest((c.value ->> 'p_dataset')::uuid, c.value -> 'p_offsets')
        else c.value ->> 'p_offsets_digest' end) order by c.n)
    from jsonb_array_elements(v_calls) with ordinality as c(value, n));
end $$;
