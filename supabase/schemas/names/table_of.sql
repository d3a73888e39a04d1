-- The first name of a table, by any name that it ever had; one that was never renamed is its own.
create or replace function sediment.table_of(p_dataset uuid, p_name text)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce((select n."table" from public.table_names n where n.dataset_id = p_dataset and n.name = p_name), p_name)
$$;
