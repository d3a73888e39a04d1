-- What a group of a file's schema is for a reader: struct, list or map; null where DuckDB nests it otherwise than the format
-- does (shared/parquet/format/reader_shape.ts), or keeps it as something else.
create or replace function sediment.lake_group(p_node jsonb)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when p_node ? 'spelling' then null
    when p_node ->> 'logical' is null then 'struct'
    when jsonb_array_length(p_node -> 'children') <> 1 or r.node ->> 'repetition' <> 'repeated' or r.node ? 'logical' then null
    when p_node ->> 'logical' = 'LIST' and (r.node ? 'type' or jsonb_array_length(r.node -> 'children') > 1
      or r.node ->> 'name' not in ('array', p_node ->> 'name' || '_tuple')
        and r.node #>> '{children,0,repetition}' <> 'repeated') then 'list'
    when p_node ->> 'logical' = 'MAP' and jsonb_array_length(r.node -> 'children') = 2
      and r.node #>> '{children,0,name}' = 'key' and r.node #>> '{children,1,name}' = 'value'
      and r.node #>> '{children,0,repetition}' <> 'repeated' and r.node #>> '{children,1,repetition}' <> 'repeated' then 'map'
  end
  from (select p_node -> 'children' -> 0 as node) r
$$;
