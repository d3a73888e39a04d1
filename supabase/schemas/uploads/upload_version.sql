-- The version of its dataset from which on an upload's rows are there.
create or replace function sediment.upload_version(u public.uploads)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select coalesce(u.version, (u.answer ->> 'version')::bigint)
$$;
