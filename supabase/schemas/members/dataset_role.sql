-- What a user is to a dataset: owner, writer, reader, or null for a stranger, as the user of a key is once it has expired.
create or replace function sediment.dataset_role(p_user uuid, p_dataset uuid)
returns text
language sql
stable
set search_path = ''
as $$
  select case when d.user_id = p_user then 'owner' else (
    select m.role from public.dataset_members m
    where m.dataset_id = d.id and m.user_id = p_user and (m.expires_at is null or m.expires_at > clock_timestamp())) end
  from public.datasets d where d.id = p_dataset
$$;
