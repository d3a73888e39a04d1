-- Whether a deletion in the dataset is at work.
create or replace function sediment.has_marks(p_dataset uuid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (select 1 from public.deletions x where x.dataset_id = p_dataset and x.state = 'marked')
$$;
