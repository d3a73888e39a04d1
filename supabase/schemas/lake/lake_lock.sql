-- The advisory lock of who writes the lake: publications and prunings have it alone, purges share it.
create or replace function sediment.lake_lock()
returns bigint
language sql
immutable
set search_path = ''
as $$
  select 7237970097417219::bigint
$$;
