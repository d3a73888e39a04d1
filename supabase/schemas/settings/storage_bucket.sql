-- The bucket that holds the objects, where they are in this project's Storage. Definer, since the policy of the store asks it as
-- its caller, who reads no settings; it tells a name that each of the store's URLs has.
create or replace function sediment.storage_bucket()
returns text
language sql
stable
security definer
set search_path = ''
as $$
  select s.storage_bucket from public.service_settings s where s.id
$$;
