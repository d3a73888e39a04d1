-- Whose files of the lake a namespace has: 'lake' those of all datasets, for a service alone (p_user null), and a dataset's id its
-- own, for who may read it. Returns the dataset, 00000000-0000-0000-0000-000000000000 for all. Raises not_found, dataset_forbidden,
-- user_deleted, dataset_deleted.
create or replace function sediment.lake_scope(p_user uuid, p_namespace text)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  if p_user is null and p_namespace = 'lake' then
    return '00000000-0000-0000-0000-000000000000'::uuid;
  end if;
  if p_namespace is null or p_namespace !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    perform sediment.fail('not_found', 404, format('there is no namespace %s', left(p_namespace, 80)));
  end if;
  return (sediment.require_dataset(p_user, p_namespace::uuid)).id;
end $$;
