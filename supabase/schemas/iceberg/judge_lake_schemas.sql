-- Says of each column of a lake's table what it is in Iceberg, and of each of its schemas whether readers of Iceberg are shown the
-- files that have it. Iceberg promotes less than merges widen, and a reader that meets one file that it can't open fails with the
-- whole table: so such files are left out, with the reason. A column is there where it has a type in Iceberg and one file's values
-- at least are of it. Looks at all again where a column or a schema has come since.
create or replace function sediment.judge_lake_schemas(p_relation bigint)
returns void
language plpgsql
set search_path = ''
-- whoever calls it finds files by index; here fields meet columns
set enable_hashjoin = on
set enable_seqscan = on
as $$
declare
  v_columns bigint;
begin
  select max(c.begin_snapshot) into v_columns from public.lake_columns c where c.relation_id = p_relation and c.end_snapshot is null;
  if not exists (
    select 1 from public.lake_schemas k
    where k.relation_id = p_relation and k.mapping_id is not null and k.iceberg_columns is distinct from v_columns)
    and not exists (
    select 1 from public.lake_columns c
    where c.relation_id = p_relation and c.end_snapshot is null and c.column_id = 1 and c.iceberg_type is null)
  then
    return;
  end if;

  with leaves as materialized (
    select distinct l.path, l.leaf
    from public.lake_schemas k join public.file_schemas s on s.digest = k.schema_digest
    cross join lateral sediment.iceberg_leaves(s.schema) l
    where k.relation_id = p_relation and k.mapping_id is not null
  ), wanted as (
    select c.column_id, c.begin_snapshot, case when c.column_id in (1, 2) or exists (
        select 1 from leaves l where l.path = c.path and sediment.iceberg_fits(l.leaf, sediment.iceberg_type(c.type)))
        then sediment.iceberg_type(c.type) end as type
    from public.lake_columns c
    where c.relation_id = p_relation and c.end_snapshot is null
  )
  update public.lake_columns c set iceberg_type = w.type
  from wanted w
  where c.relation_id = p_relation and c.column_id = w.column_id and c.begin_snapshot = w.begin_snapshot
    and c.iceberg_type is distinct from w.type;

  update public.lake_schemas k
  set iceberg_columns = v_columns, iceberg_reason = j.reason
  from (
    select x.mapping_id, (array_agg(format('column %s: %s', left(array_to_string(l.path, '.'), 200),
        case when c.column_id is null then 'the lake has no place for it' when l.leaf is null then 'engines do not open files that have it'
          else format('%s here, %s in the table', l.leaf, c.iceberg_type) end) order by l.path)
      filter (where l.path is not null and (c.column_id is null or not sediment.iceberg_fits(l.leaf, c.iceberg_type))))[1] as reason
    from public.lake_schemas x
    join public.file_schemas s on s.digest = x.schema_digest
    left join lateral sediment.iceberg_leaves(s.schema) l on true
    left join public.lake_columns c on c.relation_id = x.relation_id and c.path = l.path and c.end_snapshot is null
    where x.relation_id = p_relation and x.mapping_id is not null
    group by x.mapping_id
  ) j
  where k.mapping_id = j.mapping_id;
end $$;
