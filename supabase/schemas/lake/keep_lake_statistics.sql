-- Keeps for readers what the catalog has of the values of newly shown files: of the first four columns by which their dataset
-- sorts the table, as it does now.
--   p_from, p_until: the files' numbers in the lake
create or replace function sediment.keep_lake_statistics(p_from bigint, p_until bigint)
returns void
language plpgsql
set search_path = ''
as $$
declare
  -- of a table's files of a dataset and schema, by "relation/dataset/mapping": [{column, place, leaf}] of their sort keys
  v_sorted jsonb;
begin
  with kinds as materialized (
    select distinct l.relation_id, l.dataset_id, l.mapping_id from public.lake_files l where l.id >= p_from and l.id < p_until
  ), keys as materialized (
    -- each found by its index: how many kinds there are isn't known when the statement is planned
    select s.*, k.name, m.schema_digest
    from kinds s
    cross join lateral (select x.name from public.lake_relations x where x.id = s.relation_id offset 0) r
    -- of sediment.settings_of this one
    cross join lateral (
      select regexp_replace(u.key, '(\s+(asc|desc))?\s*$', '', 'i') as name
      from unnest(coalesce(
        (select t.sort_keys from public.table_settings t where t.dataset_id = s.dataset_id and t."table" = r.name),
        (select t.sort_keys from public.table_settings t where t.dataset_id = s.dataset_id and t."table" = '*')
      )) with ordinality as u(key, place)
      where u.place <= 4 offset 0) k
    cross join lateral (select x.schema_digest from public.lake_schemas x where x.mapping_id = s.mapping_id offset 0) m
  ), leaves as materialized (
    select k.relation_id, k.dataset_id, k.mapping_id, c.leaf, c.place - 1 as place
    from keys k cross join lateral (
      select x.leaf, x.place from public.file_schemas f
      cross join lateral jsonb_array_elements(f.schema -> 'children') with ordinality as x(leaf, place)
      where f.digest = k.schema_digest and x.leaf ->> 'name' = k.name and x.leaf ? 'type' and x.leaf ->> 'repetition' is distinct from 'repeated' offset 0) c
  ), columns as (
    select concat_ws('/', l.relation_id, l.dataset_id, l.mapping_id) as kind,
      jsonb_agg(jsonb_build_object('column', y.column_id, 'place', l.place, 'leaf', l.leaf)) as columns
    from leaves l
    cross join lateral (
      select x.column_id from public.lake_columns x
      where x.relation_id = l.relation_id and x.end_snapshot is null and x.path = array[lower(l.leaf ->> 'name' collate "C")] offset 0) y
    group by 1
  )
  select jsonb_object_agg(c.kind, c.columns) into v_sorted from columns c;
  if v_sorted is null then
    return;
  end if;

  insert into public.lake_statistics (file_id, relation_id, column_id, value_count, null_count, min_value, max_value, contains_nan)
  select l.id, l.relation_id, (c.one ->> 'column')::bigint, l.row_count - n.nulls, n.nulls,
    sediment.lake_bound(t.bounds -> 0, c.one -> 'leaf', false), sediment.lake_bound(t.bounds -> 1, c.one -> 'leaf', true),
    case when c.one #>> '{leaf,type}' not in ('FLOAT', 'DOUBLE') then false end
  from public.lake_files l
  cross join lateral jsonb_array_elements(v_sorted -> concat_ws('/', l.relation_id, l.dataset_id, l.mapping_id)) as c(one)
  cross join lateral (
    select (b.stats #>> '{}')::jsonb as stats from public.battle_files b
    where b.id = l.battle_file and jsonb_typeof(b.stats) = 'string' offset 0) p
  -- min, max and how many nulls, as shared/catalog/packed_stats.ts packs them
  cross join lateral (
    select case jsonb_typeof(p.stats) when 'array' then p.stats -> (c.one ->> 'place')::integer
      when 'object' then p.stats -> (c.one #>> '{leaf,name}') end as bounds offset 0) t
  cross join lateral (
    select case when jsonb_array_length(t.bounds) < 3 then 0 else (t.bounds ->> 2)::bigint end as nulls
    where jsonb_typeof(t.bounds) = 'array' offset 0) n
  where l.id >= p_from and l.id < p_until
  on conflict (file_id, column_id) do nothing;
end $$;
