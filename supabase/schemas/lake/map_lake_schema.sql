-- Fits a schema that a table's files have into the lake's table, once: widens its columns and adds those that it lacks, and
-- keeps the mapping of the schema's names to the columns, or why no file of it is shown. A column that the lake has no
-- place for is left out for good; of one that it has, no file is shown without, since its values would be null in silence.
-- One that the catalog can't take leaves its own files out, and no other's wait for it.
--   p_dataset: whose file it is first met in
--   p_snapshot: the publication's; p_mapping: the number that the mapping gets; null: the columns alone are wanted
-- Returns {mapped, changed: whether the table's columns are others now}. Where there are too many schemas nothing is kept, and
-- the next file of it is tried again.
create or replace function sediment.map_lake_schema(
  p_relation public.lake_relations, p_digest text, p_dataset uuid, p_snapshot bigint, p_mapping bigint
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_columns_most constant integer := 2000; -- those of nested ones too
  v_columns_of_user constant integer := 1000; -- that one user brought, in however many datasets
  -- what readers load of a table's mappings at once, and what of it one dataset and one user may make
  v_fields_most constant integer := 200000;
  v_fields_of_one constant integer := 20000;
  v_fields_of_user constant integer := 50000;
  v_left_most constant integer := 1000;
  v_left_of_user constant integer := 200;
  v_user constant uuid := (select d.user_id from public.datasets d where d.id = p_dataset);
  v_reason text;
  v_next bigint := p_relation.next_column_id;
  v_ids bigint[] := '{}'::bigint[]; -- of each field its column
  v_room integer;
  v_count bigint;
  v_changed boolean := false;
  v_why text;
  v_id bigint;
  v_type text;
  v_schema jsonb;
  f record;
  c public.lake_columns;
begin
  select k.schema into v_schema from public.file_schemas k where k.digest = p_digest;
  if not found then
    v_reason := 'the catalog has no schema of it';
  else
    -- what cannot be read or united is seen before anything is written
    select count(*),
      case when bool_or(y.column_id in (1, 2)) then 'a column of its own has the name of one of the lake''s'
        else (array_agg(format('column %s: %s', left(array_to_string(x.path, '.'), 200),
          coalesce(x.problem, format('%s here, %s in the lake', x.type, y.type))) order by x.field)
          filter (where x.problem is not null
            or y.type is not null and x.type <> 'unknown' and sediment.lake_union(x.type, y.type) is null))[1] end
    into strict v_count, v_reason
    from sediment.lake_fields(v_schema) x
    left join public.lake_columns y on y.relation_id = p_relation.id and y.path = x.path and y.end_snapshot is null;
  end if;
  if v_reason is not null then
    if p_mapping is null then
      return jsonb_build_object('mapped', false, 'changed', false);
    end if;
    insert into public.lake_schemas (relation_id, schema_digest, reason) values (p_relation.id, p_digest, v_reason);
    return jsonb_build_object('mapped', false, 'changed', false);
  end if;
  if (select coalesce(sum(k.fields), 0) + v_count > v_fields_most
      or coalesce(sum(k.fields) filter (where k.dataset_id = p_dataset), 0) + v_count > v_fields_of_one
      or coalesce(sum(k.fields) filter (where k.dataset_id in (select d.id from public.datasets d where d.user_id = v_user)), 0)
        + v_count > v_fields_of_user
    from public.lake_schemas k where k.relation_id = p_relation.id)
  then
    return jsonb_build_object('mapped', false, 'changed', false);
  end if;

  if p_mapping is not null then
    insert into public.lake_schemas (relation_id, schema_digest, mapping_id, fields, dataset_id)
    values (p_relation.id, p_digest, p_mapping, v_count, p_dataset);
  end if;
  select least(v_columns_most - count(distinct y.column_id),
    v_columns_of_user - count(distinct y.column_id)
      filter (where y.dataset_id in (select d.id from public.datasets d where d.user_id = v_user)))
  into strict v_room from public.lake_columns y where y.relation_id = p_relation.id;
  for f in select x.* from sediment.lake_fields(v_schema) x order by x.field loop
    -- A column of nulls is one without: what type it has comes with its first value. Below one that is left out there is nothing.
    continue when f.type = 'unknown' or f.parent is not null and v_ids[f.parent] is null;
    select * into c from public.lake_columns y
    where y.relation_id = p_relation.id and y.path = f.path and y.end_snapshot is null;
    if found then
      v_id := c.column_id;
      v_type := sediment.lake_union(f.type, c.type);
      if v_type <> c.type then
        if c.begin_snapshot = p_snapshot then
          update public.lake_columns y set type = v_type
          where y.relation_id = p_relation.id and y.column_id = c.column_id and y.begin_snapshot = p_snapshot;
        else
          update public.lake_columns y set end_snapshot = p_snapshot
          where y.relation_id = p_relation.id and y.column_id = c.column_id and y.begin_snapshot = c.begin_snapshot;
          insert into public.lake_columns (relation_id, column_id, parent_id, path, name, type, begin_snapshot, dataset_id, iceberg_type)
          values (c.relation_id, c.column_id, c.parent_id, c.path, c.name, v_type, p_snapshot, c.dataset_id, c.iceberg_type);
        end if;
        v_changed := true;
      end if;
    else
      -- with all that is below it, or not at all: a list without its element is no column
      v_why := coalesce(f.misnamed, case when f.parent is null or v_ids[f.parent] < p_relation.next_column_id then
        case when f.size > v_room then format('the table has %s columns, or %s that one user brought', v_columns_most, v_columns_of_user) end
        end);
      if v_why is not null then
        insert into public.lake_left_columns (relation_id, path, dataset_id, reason)
        select p_relation.id, array(select left(x.part, 128) from unnest(f.path) with ordinality as x(part, place) order by x.place),
          p_dataset, v_why
        where (
          select count(*) < v_left_most and count(*) filter (
            where l.dataset_id in (select d.id from public.datasets d where d.user_id = v_user)) < v_left_of_user
          from public.lake_left_columns l where l.relation_id = p_relation.id)
        on conflict (relation_id, path) do nothing;
        continue;
      end if;
      v_id := v_next;
      v_next := v_next + 1;
      v_room := v_room - 1;
      insert into public.lake_columns (relation_id, column_id, parent_id, path, name, type, begin_snapshot, dataset_id)
      values (p_relation.id, v_id, v_ids[f.parent], f.path, f.name, f.type, p_snapshot, p_dataset);
      v_changed := true;
    end if;
    v_ids[f.field] := v_id;
    continue when p_mapping is null;
    insert into public.lake_mapping_fields (mapping_id, field, parent, name, column_id)
    values (p_mapping, f.field, f.parent, f.name, v_id);
  end loop;
  -- a run's commit tells the schema of uploads; the file has the lake's own columns besides
  insert into public.lake_mapping_fields (mapping_id, field, name, column_id)
  select p_mapping, v_count + y.column_id, y.name, y.column_id
  from public.lake_columns y where y.relation_id = p_relation.id and y.column_id in (1, 2) and p_mapping is not null;
  update public.lake_relations r set next_column_id = v_next where r.id = p_relation.id;
  return jsonb_build_object('mapped', p_mapping is not null, 'changed', v_changed);
exception when others then
  if not sediment.is_data_error(sqlstate) then
    raise;
  end if;
  if p_mapping is not null then
    insert into public.lake_schemas (relation_id, schema_digest, reason)
    values (p_relation.id, p_digest, 'the lake cannot take its schema: ' || left(sqlerrm, 200));
  end if;
  return jsonb_build_object('mapped', false, 'changed', false);
end $$;
