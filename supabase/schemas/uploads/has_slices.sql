-- Whether an acknowledged upload is of several slices.
create or replace function sediment.has_slices(u public.uploads)
returns boolean
language sql
stable
set search_path = ''
as $$
  select strpos(coalesce(u.slices, ''), ',') > 0 or coalesce(cardinality(u.tables), 0) > 1
    or coalesce(jsonb_array_length(u.answer -> 'files'), 0) > 1
$$;
