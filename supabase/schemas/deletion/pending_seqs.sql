-- The uploads of a partition, by their seq, of which an output that may hold rows is still to be written anew; null: none.
create or replace function sediment.pending_seqs(p_dataset uuid, p_table text, p_period_tag text)
returns int8multirange
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select range_agg(int8range(s.seq, s.seq, '[]')) from public.deleted_slices s
    where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag and s.version is null
  );
end $$;
