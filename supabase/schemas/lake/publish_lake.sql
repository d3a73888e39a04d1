-- One publication: shows what the commits since the last one have done to the lake's files, as its next snapshot. Commits of
-- different datasets come in different orders; here is the one order, in which each dataset goes from one of its versions to a
-- later one, whole. So what is pending is taken a dataset at a time, all of it, and each file is looked at as it is, in ONE
-- STATEMENT: it sees what one moment saw, of which two statements, or a limit within a dataset, would show rows twice or not at
-- all. What a deletion has marked is gone at once, as it is for all readers, whatever its slices have come to. Takes no lock that a
-- commit takes, and never waits: alone by an advisory lock, it comes again with the next tick.
--   p_files: so many pending changes, and those of their datasets; so many files of before an approval
-- Returns {snapshot|null: none came of it, added, removed, left_out, more}.
create or replace function sediment.publish_lake(p_files integer default 5000)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
-- files are found by their ids, whatever the statistics say
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_nothing constant jsonb := '{"snapshot": null, "added": 0, "removed": 0, "left_out": 0, "more": false}'::jsonb;
  v_last public.lake_snapshots;
  v_snapshot bigint;
  v_next bigint;
  v_schema_changed boolean := false;
  v_tables boolean;
  v_anew smallint[] := '{}'::smallint[]; -- tables of which one was shown that ends here
  v_whole bigint[] := '{}'::bigint[];
  v_added sediment.lake_news[];
  v_ended bigint;
  v_ended_tables bigint := 0;
  v_shown bigint := 0;
  v_left bigint := 0;
  v_more boolean;
  v_mapped jsonb;
  r public.lake_relations;
  t public.lake_tables;
  v record;
begin
  if not exists (select 1 from public.lake_pending)
    and not exists (select 1 from public.lake_schemas k where k.mapping_id is not null and k.iceberg_columns is null)
  then
    return v_nothing;
  end if;
  if not pg_try_advisory_xact_lock(sediment.lake_lock()) then
    return v_nothing || '{"more": true}'::jsonb;
  end if;
  select * into strict v_last from public.lake_snapshots s order by s.id desc limit 1;
  v_snapshot := v_last.id + 1;
  v_next := v_last.next_file_id;

  delete from public.lake_pending p where p.dataset_id is null;
  v_tables := found;
  if v_tables then
    for r in
      select x.* from public.lake_relations x join public.lake_tables y on y.id = x.lake_table_id
      left join public.lake_shapes z on z.lake_table_id = y.id
      where x.end_snapshot is null and (y.withdrawn_at is not null or x.shaped_by is distinct from z.dataset_id)
    loop
      update public.lake_files l set end_snapshot = v_snapshot where l.relation_id = r.id and l.end_snapshot is null;
      get diagnostics v_ended = row_count;
      v_ended_tables := v_ended_tables + v_ended;
      delete from public.lake_left_files l where l.relation_id = r.id;
      update public.lake_columns c set end_snapshot = v_snapshot where c.relation_id = r.id and c.end_snapshot is null;
      update public.lake_relations x set end_snapshot = v_snapshot where x.id = r.id;
      v_schema_changed := true;
      v_anew := v_anew || r.lake_table_id;
    end loop;
    for t in
      select y.* from public.lake_tables y
      where y.withdrawn_at is null and not exists (
        select 1 from public.lake_relations x where x.lake_table_id = y.id and x.end_snapshot is null)
    loop
      insert into public.lake_relations (lake_table_id, name, begin_snapshot, next_column_id, shaped_by)
      values (t.id, t.name, v_snapshot, 3, (select z.dataset_id from public.lake_shapes z where z.lake_table_id = t.id))
      returning * into strict r;
      if t.id = any (v_anew) then
        v_whole := v_whole || r.id;
      end if;
      insert into public.lake_columns (relation_id, column_id, path, name, type, begin_snapshot, iceberg_type)
      values (r.id, 1, array[lower(t.dataset_column)], t.dataset_column, 'varchar', v_snapshot, 'string'),
        (r.id, 2, array[lower(t.period_column)], t.period_column, 'varchar', v_snapshot, 'string');
      for v in
        select f.schema_digest from (
          select y.schema_digest, y.uploaded_at, y.id from public.battle_files y
          where y.dataset_id = r.shaped_by and y."table" = t.name and y.removed_version is null and y.schema_digest is not null
          limit 10000) f
        group by f.schema_digest order by min(f.uploaded_at), min(f.id) limit 100
      loop
        select * into strict r from public.lake_relations x where x.id = r.id;
        v_mapped := sediment.map_lake_schema(r, v.schema_digest, r.shaped_by, v_snapshot, null);
        if (v_mapped ->> 'changed')::boolean then
          perform sediment.judge_lake_schema(r.id, v.schema_digest, v_snapshot);
        end if;
      end loop;
      v_schema_changed := true;
    end loop;
  end if;

  with before as materialized (
    select x.id as relation_id, f.id as file_id, f.dataset_id
    from public.lake_relations x
    cross join lateral (
      select y.id, y.dataset_id from public.battle_files y
      where y."table" = x.name and y.lake_version is not null and y.removed_version is null and y.id > x.after_file
      -- what takes the place of a table that is shown shows all at once: else rows would be missing until it does
      order by y.id limit case when x.id <> all (v_whole) then p_files end) f
    where x.end_snapshot is null and x.after_file is not null
  ), first as materialized (
    select x.dataset_id from (select p.dataset_id from public.lake_pending p order by p.id limit p_files) x
    -- what such a file has replaced may wait still
    union select b.dataset_id from before b
  ), taken as (
    delete from public.lake_pending p where p.dataset_id = any (array(select f.dataset_id from first f))
    returning p.file_id, p.dataset_id, p.version
  ), marked as (
    -- all that a deletion covers
    select f.id as file_id
    from taken k
    join public.deletions x on x.dataset_id = k.dataset_id and x.version = k.version and x.state = 'marked'
    join public.lake_relations o on o.end_snapshot is null and (x."table" is null or o.name = x."table")
    cross join lateral (
      select y.period_tag from public.partitions y
      where y.dataset_id = x.dataset_id and y."table" = o.name and (x.period_tag is null or y.period_tag = x.period_tag)
      offset 0) p
    cross join lateral (
      select y.id from public.battle_files y
      where y.dataset_id = x.dataset_id and y."table" = o.name and y.period_tag = p.period_tag
        and y.removed_version is null and y.added_version < x.version and y.lake_version is not null
      offset 0) f
    where k.file_id is null
  ), walked as (
    update public.lake_relations x
    set after_file = (select max(b.file_id) from before b where b.relation_id = x.id and x.id <> all (v_whole) having count(*) = p_files)
    where x.end_snapshot is null and x.after_file is not null
    returning x.after_file
  ), seen as (
    select n.file_id, f.uploaded_at, f.dataset_id, f.period_tag, f.object_key, f.byte_length, f.row_count, f.schema_digest, f.lake_version,
      x.id as relation_id, l.id as shown_id, l.object_key as shown_key, f.id is not null and x.id is not null as is_there
    from (select k.file_id from taken k union select m.file_id from marked m union select b.file_id from before b) n
    left join lateral (
      select * from public.battle_files y
      where y.id = n.file_id and y.removed_version is null and y.state = 'active' and y.lake_version is not null
        and not (sediment.has_marks(y.dataset_id) and sediment.is_marked(y, 9223372036854775807))
      offset 0) f on true
    left join lateral (
      select y.id from public.lake_relations y where y.name = f."table" and y.end_snapshot is null offset 0) x on true
    left join lateral (
      select y.id, y.object_key from public.lake_files y where y.battle_file = n.file_id and y.end_snapshot is null
      offset 0) l on true
  ), ended as (
    update public.lake_files l set end_snapshot = v_snapshot
    from seen s where l.id = s.shown_id and (not s.is_there or s.object_key <> s.shown_key)
    returning 1
  ), unleft as (
    delete from public.lake_left_files l using seen s where l.battle_file = s.file_id
    returning 1
  )
  select array(
      select row(s.file_id, s.relation_id, s.dataset_id, s.period_tag, s.object_key, s.byte_length, s.row_count,
        s.schema_digest, s.lake_version, null, null)::sediment.lake_news
      from seen s where s.is_there and s.object_key is distinct from s.shown_key
      order by s.uploaded_at, s.file_id),
    (select count(*) from ended), exists (select 1 from walked w where w.after_file is not null)
  into strict v_added, v_ended, v_more;
  v_ended := v_ended + v_ended_tables;

  -- each schema that is new to its table, in the order of its first file: ids are in none
  for v in
    select n.relation_id, n.schema_digest, (array_agg(n.dataset_id order by n.place))[1] as dataset_id
    from unnest(v_added) with ordinality as n(battle_file, relation_id, dataset_id, period_tag, object_key, bytes, row_count,
      schema_digest, lake_version, mapping_id, reason, place)
    where n.lake_version = 1 and n.schema_digest is not null and not exists (
      select 1 from public.lake_schemas k where k.relation_id = n.relation_id and k.schema_digest = n.schema_digest)
    group by n.relation_id, n.schema_digest
    order by min(n.place)
  loop
    select * into strict r from public.lake_relations x where x.id = v.relation_id;
    v_mapped := sediment.map_lake_schema(r, v.schema_digest, v.dataset_id, v_snapshot, v_next);
    v_next := v_next + (v_mapped ->> 'mapped')::boolean::integer;
    v_schema_changed := v_schema_changed or (v_mapped ->> 'changed')::boolean;
  end loop;

  -- these, and what was published before there was Iceberg; of wide ones so many that it ends in time, the others the next time
  for v in
    select y.relation_id, y.schema_digest from (
      select k.relation_id, k.schema_digest, k.mapping_id,
        sum(coalesce(k.fields, 0)) over (order by k.mapping_id) - coalesce(k.fields, 0) as fields
      from public.lake_schemas k where k.mapping_id is not null and k.iceberg_columns is null) y
    where y.fields < 50000 order by y.mapping_id
  loop
    perform sediment.judge_lake_schema(v.relation_id, v.schema_digest, v_snapshot);
  end loop;

  v_added := array(
    select row(n.battle_file, n.relation_id, n.dataset_id, n.period_tag, n.object_key, n.bytes, n.row_count, n.schema_digest,
      n.lake_version, k.mapping_id,
      case when n.lake_version <> 1 then 'a column of its own has the name of one of the lake''s, or it has as many as a file may'
        when n.schema_digest is null then 'the catalog has no schema of it' when k.found then k.reason
        else 'the table, its dataset or its user has too many schemas' end)::sediment.lake_news
    from unnest(v_added) n
    left join lateral (
      select y.mapping_id, y.reason, true as found from public.lake_schemas y
      where y.relation_id = n.relation_id and y.schema_digest = n.schema_digest and n.lake_version = 1 offset 0) k on true);
  v_added := sediment.bound_lake_files(v_added, v_snapshot);
  insert into public.lake_left_files (battle_file, relation_id, dataset_id, reason)
  select n.battle_file, n.relation_id, n.dataset_id, n.reason from unnest(v_added) n where n.reason is not null;
  get diagnostics v_left = row_count;

  insert into public.lake_files (id, relation_id, battle_file, begin_snapshot, dataset_id, period_tag, object_key, bytes,
    row_count, row_id_start, mapping_id)
  select v_next - 1 + row_number() over w, n.relation_id, n.battle_file, v_snapshot, n.dataset_id, n.period_tag, n.object_key,
    n.bytes, n.row_count,
    x.next_row_id + (sum(n.row_count) over (partition by n.relation_id order by n.dataset_id, n.battle_file))::bigint - n.row_count,
    n.mapping_id
  from unnest(v_added) n join public.lake_relations x on x.id = n.relation_id
  where n.reason is null
  window w as (order by n.relation_id, n.dataset_id, n.battle_file);
  get diagnostics v_shown = row_count;
  perform sediment.keep_lake_statistics(v_next, v_next + v_shown);
  v_next := v_next + v_shown;
  update public.lake_relations x
  set next_row_id = x.next_row_id + s.rows, file_bytes = x.file_bytes + s.bytes,
    dataset_min = least(x.dataset_min, s.dataset_min), dataset_max = greatest(x.dataset_max, s.dataset_max),
    period_min = least(x.period_min, s.period_min), period_max = greatest(x.period_max, s.period_max)
  from (
    select n.relation_id, sum(n.row_count) as rows, sum(n.bytes) as bytes, min(n.dataset_id::text collate "C") as dataset_min,
      max(n.dataset_id::text collate "C") as dataset_max, min(n.period_tag collate "C") as period_min,
      max(n.period_tag collate "C") as period_max
    from unnest(v_added) n where n.reason is null group by n.relation_id
  ) s
  where x.id = s.relation_id;

  if v_ended > 0 then
    perform sediment.readmit_lake_files(v_snapshot);
  end if;
  if v_more then
    insert into public.lake_pending (change) values ('table');
  end if;
  if v_shown > 0 or v_ended > 0 or v_schema_changed then
    insert into public.lake_snapshots (id, at, schema_version, next_file_id)
    values (v_snapshot, greatest(clock_timestamp(), v_last.at + interval '1 microsecond'),
      v_last.schema_version + v_schema_changed::integer, v_next);
  else
    v_snapshot := null;
  end if;
  return jsonb_build_object('snapshot', v_snapshot, 'added', v_shown, 'removed', v_ended, 'left_out', v_left,
    'more', exists (select 1 from public.lake_pending)
      or exists (select 1 from public.lake_schemas k where k.mapping_id is not null and k.iceberg_columns is null));
end $$;
