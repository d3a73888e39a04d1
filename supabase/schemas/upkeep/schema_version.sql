-- The version of this schema, a number apart from the product's: it rises by one with each migration that brings what
-- the functions of the same release need (shared/catalog/require_schema.ts). Functions that need more than this
-- answer schema_outdated; a schema that is newer than they need is fine. Returns the number.
-- Stable: the value of an immutable function would stay in the plans that connections keep.
create or replace function public.schema_version()
returns jsonb
language sql
stable parallel safe
set search_path = ''
as $$
  select to_jsonb(8)
$$;
