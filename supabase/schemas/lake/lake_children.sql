-- The fields below a field, as a lake's columns.
create or replace function sediment.lake_children(p_node jsonb)
returns table (node jsonb, name text, place bigint)
language sql
immutable
set search_path = ''
as $$
  select c.node, c.node ->> 'name', c.place
  from jsonb_array_elements(case sediment.lake_group(p_node) when 'struct' then p_node -> 'children'
    when 'map' then p_node #> '{children,0,children}' else '[]' end) with ordinality as c(node, place)
  where not p_node ? 'type'
  union all
  select case when e.node ? 'children' and jsonb_array_length(e.node -> 'children') = 1 then e.node -> 'children' -> 0 else e.node end,
    'element', 1
  from (select p_node -> 'children' -> 0 as node) e
  where not p_node ? 'type' and sediment.lake_group(p_node) = 'list'
$$;
