-- Calls of commit_upload whose data files have their tables' first names, as the partitions do.
create or replace function sediment.respell_commits(p_calls sediment.commit_call[])
returns sediment.commit_call[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
declare
  v_calls sediment.commit_call[] := p_calls;
  v_call sediment.commit_call;
begin
  for v_call in
    select c.* from unnest(p_calls) as c
    join public.datasets d on d.id = any (array[c.dataset_id])
    where d.has_aliases and jsonb_typeof(c.files) = 'array' and c.files <> '[]'
  loop
    v_calls[v_call.n].files := (
      select jsonb_agg(case when jsonb_typeof(f.value) = 'object' and f.value ? 'table'
        then f.value || jsonb_build_object('table', sediment.table_of(v_call.dataset_id, f.value ->> 'table'))
        else f.value end order by f.n)
      from jsonb_array_elements(v_call.files) with ordinality as f(value, n));
  end loop;
  return v_calls;
end $$;
