-- Counts of files by size tier from their JSON: {files: [count], …}.
create or replace function sediment.tier_files_of(p_waiting jsonb)
returns integer[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array(select greatest(t.value::integer, 0)
    from jsonb_array_elements_text(p_waiting -> 'files') with ordinality as t(value, n) order by t.n);
end $$;
