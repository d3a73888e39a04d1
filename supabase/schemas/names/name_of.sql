-- What a table is called now, by its first name. Null for null.
create or replace function sediment.name_of(p_dataset uuid, p_table text)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce((
    select n.name from public.table_names n where n.dataset_id = p_dataset and n."table" = p_table and n.is_current),
    p_table)
$$;
