-- Says of a schema that a table's files have whether readers of Iceberg are shown them, and what its columns are to these. Iceberg
-- promotes less than merges widen, and a reader that meets one file that it can't open fails with the whole table: so such files are
-- left out, with the reason. What a column is, the first of its schemas says whose files are shown, and from then on it becomes only
-- what Iceberg promotes it to: who comes later takes nobody's files away. One without a type in Iceberg stays 'none'. Of columns
-- with the same names from the top, joined by dots (a field b of a struct a, and a.b beside it), Iceberg takes one: the first.
-- Once for each schema, within its publication.
--   p_snapshot: the publication's
create or replace function sediment.judge_lake_schema(p_relation bigint, p_digest text, p_snapshot bigint)
returns void
language plpgsql
set search_path = ''
-- whoever calls it finds files by index; here fields meet columns
set enable_hashjoin = on
set enable_seqscan = on
as $$
declare
  v_reason text;
begin
  update public.lake_columns c set iceberg_type = 'string'
  where c.relation_id = p_relation and c.column_id in (1, 2) and c.end_snapshot is null and c.iceberg_type is null;

  with columns as (
    select c.path, nullif(c.iceberg_type, 'none') as type,
      min(c.column_id) over (partition by array_to_string(c.path, '.')) < c.column_id as is_second
    from public.lake_columns c where c.relation_id = p_relation and c.end_snapshot is null
  )
  select (array_agg(format('column %s: %s', left(array_to_string(l.path, '.'), 200),
      case when c.path is null then 'the lake has no place for it' when l.leaf is null then 'engines do not open files that have it'
        when c.is_second then 'another column has its name in Iceberg'
        else format('%s here, %s in the table', l.leaf, c.type) end) order by l.path)
    filter (where c.path is null or l.leaf is null or c.is_second
      or not sediment.iceberg_fits(l.leaf, c.type) and not sediment.iceberg_fits(c.type, l.leaf)))[1]
  into strict v_reason
  from public.file_schemas s cross join lateral sediment.iceberg_leaves(s.schema) l left join columns c on c.path = l.path
  where s.digest = p_digest;

  if v_reason is null then
    update public.lake_columns c
    set iceberg_type = case
      when c.iceberg_type is not null or l.leaf = any ('{boolean,int,long,float,double,string,binary,uuid,date,time,timestamp,timestamptz}')
        or l.leaf = any ('{struct,list,map}') or l.leaf like 'decimal(%' then l.leaf else 'none' end
    from public.file_schemas s cross join lateral sediment.iceberg_leaves(s.schema) l
    where s.digest = p_digest and c.relation_id = p_relation and c.path = l.path and c.end_snapshot is null
      and (c.iceberg_type is null or c.iceberg_type <> l.leaf and sediment.iceberg_fits(c.iceberg_type, l.leaf));
  end if;
  update public.lake_schemas k set iceberg_columns = p_snapshot, iceberg_reason = v_reason
  where k.relation_id = p_relation and k.schema_digest = p_digest and k.mapping_id is not null;
end $$;
