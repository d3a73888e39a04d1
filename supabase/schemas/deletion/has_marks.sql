-- Whether a deletion in the dataset is at work.
create or replace function sediment.has_marks(p_dataset uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (select 1 from public.deletions x where x.dataset_id = p_dataset and x.state = 'marked');
end $$;
