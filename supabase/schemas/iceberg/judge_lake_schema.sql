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
begin
  update public.lake_columns c set iceberg_type = 'string'
  where c.relation_id = p_relation and c.column_id in (1, 2) and c.end_snapshot is null and c.iceberg_type is null;

  with leaves as materialized (
    select l.path, l.leaf from public.file_schemas s cross join lateral sediment.iceberg_leaves(s.schema) l where s.digest = p_digest
  ), columns as materialized (
    select c.column_id, c.begin_snapshot, c.path, nullif(c.iceberg_type, 'none') as type, c.iceberg_type is null as is_new,
      min(c.column_id) over (partition by array_to_string(c.path, '.')) < c.column_id as is_second
    from public.lake_columns c where c.relation_id = p_relation and c.end_snapshot is null
  ), fields as materialized (
    select l.path, l.leaf, c.column_id, c.begin_snapshot, c.type, c.is_new, c.is_second,
      c.type is distinct from l.leaf and sediment.iceberg_fits(c.type, l.leaf) as is_promoted
    from leaves l left join columns c on c.path = l.path
  ), judged as materialized (
    select (array_agg(format('column %s: %s', left(array_to_string(f.path, '.'), 200),
        case when f.column_id is null then 'the lake has no place for it' when f.leaf is null then 'engines do not open files that have it'
          when f.is_second then 'another column has its name in Iceberg'
          else format('%s here, %s in the table', f.leaf, f.type) end) order by f.path)
      filter (where f.column_id is null or f.leaf is null or f.is_second
        or not f.is_promoted and not sediment.iceberg_fits(f.leaf, f.type)))[1] as reason
    from fields f
  ), typed as (
    update public.lake_columns c
    set iceberg_type = case when f.is_promoted or f.leaf = any (
          '{boolean,int,long,float,double,string,binary,uuid,date,time,timestamp,timestamptz,struct,list,map}')
        or f.leaf like 'decimal(%' then f.leaf else 'none' end
    from fields f cross join judged j
    where j.reason is null and (f.is_new or f.is_promoted) and c.relation_id = p_relation and c.column_id = f.column_id
      and c.begin_snapshot = f.begin_snapshot
  )
  update public.lake_schemas k set iceberg_columns = p_snapshot, iceberg_reason = j.reason
  from judged j
  where k.relation_id = p_relation and k.schema_digest = p_digest and k.mapping_id is not null;
end $$;
