-- The fields of a file's schema as a lake's columns: what is within lists is one named element, within maps key and value.
--   p_schema: as file_schemas has it
-- Each has its place (a parent before its children), its names from the top in lower case, its DuckLake type; what is wrong
-- with it where DuckDB would not read it as the format has it, and what lies below such a one is left out; how many fields
-- it is together with those below it, and what is wrong with the name of one of them.
create or replace function sediment.lake_fields(p_schema jsonb)
returns table (field integer, parent integer, name text, path text[], type text, problem text, size bigint, misnamed text)
language sql
immutable
rows 100
set search_path = ''
-- whoever calls it finds files by index; here a thousand fields meet each other
set enable_hashjoin = on
set enable_seqscan = on
as $$
  with recursive walk as (
    select array[c.place::integer] as places, '{}'::integer[] as above, c.node, c.node ->> 'name' as name,
      array[lower(c.node ->> 'name' collate "C")] as path
    from jsonb_array_elements(p_schema -> 'children') with ordinality as c(node, place)
    union all
    select w.places || x.place::integer, w.places, x.node, x.name, w.path || lower(x.name collate "C")
    from walk w cross join lateral sediment.lake_children(w.node) x
    where cardinality(w.places) < 32
  ), numbered as materialized (
    select (row_number() over (order by w.places))::integer as field, w.*,
      case when w.node ? 'type' then sediment.lake_type(w.node ->> 'type', w.node ->> 'logical', w.node ->> 'spelling')
        else sediment.lake_group(w.node) end as type,
      case when octet_length(w.name) > 128 then 'its name is longer than 128 bytes'
        when w.name = '' or w.name ~ '[\u0001-\u001f\u007f]' then 'its name is empty or has control characters'
        when w.path[cardinality(w.path)] like '\_ducklake\_internal%' or w.path[cardinality(w.path)] like '\_\_ducklake%'
          then 'its name is one of DuckLake''s own'
        -- an index has them
        when octet_length(array_to_string(w.path, '')) > 1500 then 'its names from the top are longer than 1,500 bytes together'
      end as misnamed
    from walk w
  ), sized as materialized (
    select n.places[1 : k] as places, count(*) as size, max(n.misnamed) as misnamed
    from numbered n cross join lateral generate_series(1, cardinality(n.places)) k
    group by 1
  )
  select n.field, p.field, n.name, n.path, n.type,
    case
      when n.node ->> 'repetition' = 'repeated' and p.type is distinct from 'list' then 'it repeats without being a list'
      when n.node ? 'children' and cardinality(n.places) >= 32 then 'it is nested too deeply'
      when p.field is not null and n.type = 'unknown' then 'it has nothing but nulls, and lies within another'
      when n.type is null
        then format('the lake has no type for %s', left(concat_ws(' ', n.node ->> 'type', n.node ->> 'logical', n.node ->> 'spelling'), 80))
    end,
    s.size, s.misnamed
  from numbered n left join numbered p on p.places = n.above join sized s on s.places = n.places
$$;
