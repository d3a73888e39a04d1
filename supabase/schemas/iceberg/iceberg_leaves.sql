-- The fields of a file's schema at all depths, by their names from the top as the lake's columns have them, and what each is to a
-- reader of Iceberg.
--   p_schema: as file_schemas has it
create or replace function sediment.iceberg_leaves(p_schema jsonb)
returns table (path text[], leaf text)
language sql
immutable
rows 100
set search_path = ''
as $$
  with recursive walk as (
    select c.node, array[lower(c.node ->> 'name' collate "C")] as path
    from jsonb_array_elements(p_schema -> 'children') c(node)
    union all
    select x.node, w.path || lower(x.name collate "C")
    from walk w cross join lateral sediment.lake_children(w.node) x
    where cardinality(w.path) < 32
  )
  select w.path, case when w.node ? 'type' then sediment.iceberg_leaf(w.node ->> 'type', w.node ->> 'logical', w.node ->> 'spelling')
    else sediment.lake_group(w.node) end
  from walk w
$$;
