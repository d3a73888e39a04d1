-- A partition of which there is no row yet, as count_waiting takes one.
create or replace function sediment.new_partition(p_dataset uuid, p_table text)
returns public.partitions
language plpgsql
immutable
set search_path = ''
as $$
declare
  x public.partitions;
begin
  x.dataset_id := p_dataset;
  x."table" := p_table;
  x.tier_files := '{}';
  return x;
end $$;
