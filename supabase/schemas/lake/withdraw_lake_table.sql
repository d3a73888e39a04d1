-- Takes tables of a name out of the lake. What runs write of them from now on has the columns of uploads alone; files that
-- have the lake's two keep them until a merge takes them up.
-- Returns as approve_lake_table does. Raises not_found.
create or replace function public.withdraw_lake_table(p_name text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  x public.lake_tables;
begin
  update public.lake_tables t
  set withdrawn_at = coalesce(t.withdrawn_at, clock_timestamp()), settled_dataset_id = null
  where t.name = p_name
  returning * into x;
  if not found then
    perform sediment.fail('not_found', 404, format('no table %s was ever in the lake', left(p_name, 80)));
  end if;
  return sediment.lake_table_json(x);
end $$;
