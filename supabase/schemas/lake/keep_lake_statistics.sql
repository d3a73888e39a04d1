-- Keeps for readers what the catalog has of the values of newly shown files: of the first four columns by which their dataset
-- sorts the table, as it does now.
--   p_from, p_until: the files' numbers in the lake
create or replace function sediment.keep_lake_statistics(p_from bigint, p_until bigint)
returns void
language plpgsql
set search_path = ''
-- whoever calls it finds files by index; here thousands of them meet their sort keys
set enable_hashjoin = on
as $$
begin
  with shown as materialized (
    select l.id, l.relation_id, l.dataset_id, l.mapping_id, l.row_count, l.battle_file
    from public.lake_files l where l.id >= p_from and l.id < p_until
  ), sorted as materialized (
    select s.relation_id, s.dataset_id, s.mapping_id, y.column_id, c.leaf, c.place::integer - 1 as place
    from (select distinct x.relation_id, x.dataset_id, x.mapping_id from shown x) s
    join public.lake_relations r on r.id = s.relation_id
    -- of sediment.settings_of this one
    cross join lateral (
      select regexp_replace(u.key, '(\s+(asc|desc))?\s*$', '', 'i') as name
      from unnest(coalesce(
        (select t.sort_keys from public.table_settings t where t.dataset_id = s.dataset_id and t."table" = r.name),
        (select t.sort_keys from public.table_settings t where t.dataset_id = s.dataset_id and t."table" = '*')
      )) with ordinality as u(key, place)
      where u.place <= 4 offset 0) k
    join public.lake_schemas m on m.mapping_id = s.mapping_id
    join public.file_schemas f on f.digest = m.schema_digest
    cross join lateral jsonb_array_elements(f.schema -> 'children') with ordinality as c(leaf, place)
    join public.lake_columns y on y.relation_id = s.relation_id and y.end_snapshot is null
      and y.path = array[lower(c.leaf ->> 'name' collate "C")]
    where c.leaf ->> 'name' = k.name and c.leaf ? 'type' and c.leaf ->> 'repetition' is distinct from 'repeated'
  ), told as (
    -- min, max and how many nulls, as shared/catalog/packed_stats.ts packs them
    select s.id, s.row_count, o.relation_id, o.column_id, o.leaf, t.bounds,
      case when jsonb_array_length(t.bounds) < 3 then 0 else (t.bounds ->> 2)::bigint end as nulls
    from shown s
    join sorted o on o.relation_id = s.relation_id and o.dataset_id = s.dataset_id and o.mapping_id = s.mapping_id
    join public.battle_files b on b.id = s.battle_file
    cross join lateral (select (b.stats #>> '{}')::jsonb as stats where jsonb_typeof(b.stats) = 'string') p
    cross join lateral (
      select case jsonb_typeof(p.stats) when 'array' then p.stats -> o.place when 'object' then p.stats -> (o.leaf ->> 'name') end
        as bounds) t
    where jsonb_typeof(t.bounds) = 'array'
  )
  insert into public.lake_statistics (file_id, relation_id, column_id, value_count, null_count, min_value, max_value, contains_nan)
  select t.id, t.relation_id, t.column_id, t.row_count - t.nulls, t.nulls, sediment.lake_bound(t.bounds -> 0, t.leaf, false),
    sediment.lake_bound(t.bounds -> 1, t.leaf, true), case when t.leaf ->> 'type' not in ('FLOAT', 'DOUBLE') then false end
  from told t
  on conflict (file_id, column_id) do nothing;
end $$;
