-- Names the dataset whose files say what a table's columns are in the lake: with the next publication it is shown anew, with the
-- columns and types of these first, and what of other datasets' files can't be united with them is left out. Without one the types
-- are those of the files that came first, whoever's they are. The snapshots of before show what they showed.
--   p_dataset: null takes it back
create or replace function sediment.shape_lake_table(p_name text, p_dataset uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_table smallint;
begin
  select t.id into v_table from public.lake_tables t where t.name = p_name;
  if not found or p_dataset is not null and not exists (select 1 from public.datasets d where d.id = p_dataset) then
    perform sediment.fail('not_found', 404, format('there is no lake table %s, or no dataset %s', left(p_name, 80), p_dataset));
  end if;
  delete from public.lake_shapes s where s.lake_table_id = v_table;
  if p_dataset is not null then
    insert into public.lake_shapes (lake_table_id, dataset_id) values (v_table, p_dataset);
  end if;
  insert into public.lake_pending (change) values ('table');
end $$;
