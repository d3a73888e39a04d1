-- Whose rows a list of the console shows: one dataset, which the user may read; else all that they may; null: everybody's.
-- Raises not_found, dataset_forbidden, dataset_deleted.
create or replace function sediment.listed_datasets(p_user uuid, p_dataset uuid)
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  if p_dataset is not null then
    perform sediment.require_dataset(p_user, p_dataset);
    return array[p_dataset];
  end if;
  return case when p_user is not null then sediment.datasets_of(p_user, 'reader') end;
end $$;
