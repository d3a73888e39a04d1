-- Marks data files that the planner is to write anew, whatever their size: [{id, reason, schema|null, anew?}], the schema
-- being what to write one in, anew whether nothing of it may be copied as it is. Those that are not visible any more, or in quarantine, are left alone. Their partitions get a
-- run, of the lowest priority.
-- Returns {marked: how many}. Raises invalid_request.
create or replace function public.mark_for_rewrite(p_files jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_key record;
  v_marked integer;
begin
  if jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) > 1000
    or exists (select 1 from jsonb_to_recordset(p_files) as m(id bigint, reason text)
      where m.id is null or coalesce(length(m.reason), 0) not between 1 and 200)
  then
    perform sediment.fail('invalid_request', 400, 'p_files is not an array of at most 1000 files with id and reason');
  end if;

  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select f.dataset_id, f."table", f.period_tag from public.battle_files f
    where f.id = any (array(select m.id from jsonb_to_recordset(p_files) as m(id bigint))))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;
  update public.battle_files f
  set rewrite = jsonb_build_object('reason', m.reason, 'schema', m.schema)
    || case when m.anew then '{"anew": true}' else '{}' end::jsonb
  from jsonb_to_recordset(p_files) as m(id bigint, reason text, schema jsonb, anew boolean)
  where f.id = m.id and f.removed_version is null and f.state = 'active';
  get diagnostics v_marked = row_count;

  for v_key in
    select distinct f.dataset_id, f."table", f.period_tag from public.battle_files f
    where f.id = any (array(select m.id from jsonb_to_recordset(p_files) as m(id bigint)))
      and f.rewrite is not null and f.removed_version is null
    order by 1, 2, 3
  loop
    update public.partitions p set demand_seq = p.demand_seq + 1
    where p.dataset_id = v_key.dataset_id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    perform sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'scheduled', 'sweep', 0);
  end loop;
  return jsonb_build_object('marked', v_marked);
end $$;
