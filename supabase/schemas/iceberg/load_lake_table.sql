-- What a reader of Iceberg is given of a table: the metadata that was written last where nothing was published of the table since,
-- and else what is to be written, to whoever asks first; the others have the last one meanwhile, if that may still be shown. A
-- claim ends after p_seconds, or with commit_lake_metadata. Objects are staged here, before they are written.
--   p_user: null: a service; p_namespace: 'lake', or a dataset
-- Returns {state: 'fresh', object_key, metadata (text)} or {state: 'busy', object_key|null, metadata|null, waits?: true, for a
-- publication} or {state: 'claimed', relation, dataset_id, revision, uuid, name, snapshot, at, columns_at, next_file, columns: [{id, parent, name, names, type}] (type
-- null: not in Iceberg), history: [{snapshot, at, object_key, files, rows, bytes}], kept: [{object_key, bytes, snapshot,
-- added_files, added_rows, files, rows, min_sequence}] (manifests that stay), files: [[id, snapshot, dataset, period_tag, object_key,
-- bytes, rows, whether no manifest had it]], statistics: [[id, column, nulls, min, max]] (of files' sort keys; null: not known, else
-- texts as lake_statistics has them), totals: {files, rows, bytes}, left_out: [{reason, files, rows}], keys: {metadata, list,
-- manifests: []}}.
-- Raises not_found, dataset_forbidden, user_deleted, dataset_deleted.
create or replace function public.load_lake_table(p_user uuid, p_namespace text, p_table text, p_seconds integer default 30)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_all constant uuid := '00000000-0000-0000-0000-000000000000'::uuid;
  v_each constant integer := 1000; -- files a manifest
  v_small constant integer := 8; -- manifests of less than half of that, at once
  v_history constant integer := 99;
  v_bounds constant integer := 100000; -- files' sort keys at once: who loads has them in memory
  v_scope uuid;
  v_last public.lake_snapshots;
  v_oldest bigint;
  v_plan jsonb;
  v_waits boolean;
  v_prefix text;
  v_keys text[];
  r public.lake_relations;
  h public.lake_heads;
begin
  v_scope := sediment.lake_scope(p_user, p_namespace);
  select * into r from public.lake_relations x where x.name = p_table and x.end_snapshot is null;
  if not found or v_scope <> v_all
    and not exists (select 1 from public.partitions p where p.dataset_id = v_scope and p."table" = p_table)
  then
    perform sediment.fail('not_found', 404, format('there is no table %s in %s', left(p_table, 80), left(p_namespace, 80)));
  end if;
  select * into strict v_last from public.lake_snapshots s order by s.id desc limit 1;
  select min(s.id) into strict v_oldest from public.lake_snapshots s;
  select * into h from public.lake_heads x where x.relation_id = r.id and x.dataset_id = v_scope;

  if h.snapshot_id is not null and not h.drop_history and (h.oldest_snapshot_id >= v_oldest or h.oldest_snapshot_id = h.snapshot_id)
    -- what has ended since is known by its file, which is kept as long; asked with the files, in one statement
    and h.seen_snapshot >= (select min(s.id) from public.lake_snapshots s)
    and (h.seen_snapshot = v_last.id or h.columns_at = (
        select max(c.begin_snapshot) from public.lake_columns c where c.relation_id = r.id and c.end_snapshot is null)
      and not exists (
        select 1 from public.lake_files l
        where l.id >= h.seen_file and l.relation_id = r.id and (v_scope = v_all or l.dataset_id = v_scope))
      and not exists (
        select 1 from public.lake_files l
        where l.end_snapshot > h.seen_snapshot and l.relation_id = r.id and (v_scope = v_all or l.dataset_id = v_scope)))
  then
    -- the next one looks through what comes from now on; and sediment.prune_lake_heads sees that somebody asks
    if h.seen_snapshot < v_last.id or h.seen_at < clock_timestamp() - interval '1 hour' then
      update public.lake_heads x
      set seen_snapshot = v_last.id, seen_file = v_last.next_file_id, seen_at = clock_timestamp()
      where x.relation_id = r.id and x.dataset_id = v_scope and x.revision = h.revision and x.seen_snapshot <= v_last.id;
    end if;
    return jsonb_build_object('state', 'fresh', 'object_key', h.object_key, 'metadata', h.metadata);
  end if;

  insert into public.lake_heads (relation_id, dataset_id) values (r.id, v_scope) on conflict (relation_id, dataset_id) do nothing;
  -- what was published before there was Iceberg, and what came too wide for one publication, waits for the next one
  v_waits := exists (
    select 1 from public.lake_schemas k where k.relation_id = r.id and k.mapping_id is not null and k.iceberg_columns is null);
  update public.lake_heads x
  set revision = nextval('sediment.lake_revisions'), claimed_until = clock_timestamp() + make_interval(secs => p_seconds)
  where x.relation_id = r.id and x.dataset_id = v_scope and not v_waits
    and (x.claimed_until is null or x.claimed_until <= clock_timestamp())
  returning * into h;
  if not found then
    select * into h from public.lake_heads x where x.relation_id = r.id and x.dataset_id = v_scope;
    -- of what has ended since, beyond the oldest snapshot, the objects may be gone
    h.drop_history := h.drop_history or h.seen_snapshot < v_oldest;
    return jsonb_build_object('state', 'busy', 'object_key', case when not h.drop_history then h.object_key end,
      'metadata', case when not h.drop_history then h.metadata end) || case when v_waits then '{"waits": true}'::jsonb else '{}' end;
  end if;
  -- a column that is now what its files of before can't be read as
  h.drop_history := h.drop_history or exists (
    select 1 from jsonb_each_text(h.types) t join public.lake_columns c
      on c.relation_id = r.id and c.column_id = t.key::bigint and c.end_snapshot is null
    where t.value is distinct from nullif(c.iceberg_type, 'none')
      and not sediment.iceberg_fits(t.value, nullif(c.iceberg_type, 'none')));

  -- in one statement, which sees the files of one snapshot
  with last as materialized (
    select s.id, s.at, s.next_file_id from public.lake_snapshots s order by s.id desc limit 1
  ), held as materialized (
    -- by an index of its own for one dataset
    select l.* from public.lake_files l where v_scope = v_all and l.relation_id = r.id and l.end_snapshot is null
    union all
    select l.* from public.lake_files l where v_scope <> v_all and l.relation_id = r.id and l.dataset_id = v_scope and l.end_snapshot is null
  ), schemas as materialized (
    -- of others' none is looked at
    select k.* from (select distinct o.mapping_id from held o) m
    cross join lateral (
      select x.mapping_id, x.iceberg_columns, x.iceberg_reason from public.lake_schemas x where x.mapping_id = m.mapping_id offset 0) k
  ), shown as materialized (
    select o.*, k.iceberg_columns, k.iceberg_reason from held o join schemas k on k.mapping_id = o.mapping_id
  ), alive as materialized (
    select s.* from shown s where s.iceberg_columns is not null and s.iceberg_reason is null
  ), listed as materialized (
    select m.object_key, f.id, a.row_count
    from public.lake_manifests m cross join lateral unnest(m.files) as f(id) left join alive a on a.id = f.id
    where m.relation_id = r.id and m.dataset_id = v_scope and m.end_snapshot is null
  ), whole as materialized (
    select x.object_key, count(*) as files, sum((count(*) < v_each / 2)::integer) over () as small
    from listed x group by x.object_key having bool_and(x.row_count is not null)
  ), kept as materialized (
    select m.* from whole w join public.lake_manifests m on m.object_key = w.object_key
    where w.files >= v_each / 2 or w.small < v_small
  ), open as materialized (
    select a.*, x.id is null as is_new from alive a
    left join listed x on x.id = a.id
    where not exists (select 1 from kept k where k.object_key = x.object_key)
  ), history as (
    select y.* from public.lake_manifest_lists y cross join last z
    where y.relation_id = r.id and y.dataset_id = v_scope and not h.drop_history and y.snapshot_id >= v_oldest
      and y.snapshot_id < z.id
    order by y.snapshot_id desc limit v_history
  ), names as materialized (
    select f.column_id, array_agg(distinct f.name order by f.name) as names
    from (
      select k.mapping_id from public.lake_schemas k where v_scope = v_all and k.relation_id = r.id and k.mapping_id is not null
      union all
      select k.mapping_id from schemas k where v_scope <> v_all) k
    cross join lateral (select x.column_id, x.name from public.lake_mapping_fields x where x.mapping_id = k.mapping_id offset 0) f
    group by f.column_id
  ), ours as (
    -- a reader of one dataset is told of that one's columns alone
    select c.*, n.names
    from (
      -- no file that is shown has a second one of a name
      select distinct on (array_to_string(y.path, '.')) y.* from public.lake_columns y
      where y.relation_id = r.id and y.end_snapshot is null
      order by array_to_string(y.path, '.'), y.column_id) c
    left join names n on n.column_id = c.column_id
    where (v_scope = v_all or c.column_id in (1, 2) or n.column_id is not null)
  )
  select jsonb_build_object('state', 'claimed', 'relation', r.id, 'dataset_id', v_scope, 'revision', h.revision, 'uuid', r.uuid,
    'name', r.name, 'snapshot', z.id, 'at', z.at, 'next_file', z.next_file_id,
    'columns_at', (select max(c.begin_snapshot) from public.lake_columns c where c.relation_id = r.id and c.end_snapshot is null),
    'columns', (select jsonb_agg(jsonb_build_object('id', c.column_id, 'parent', c.parent_id, 'name', c.name, 'type', nullif(c.iceberg_type, 'none'),
        'names', coalesce(c.names, array[c.name::text]))
        order by c.column_id) from ours c),
    'history', (select coalesce(jsonb_agg(jsonb_build_object('snapshot', y.snapshot_id, 'at', y.at, 'object_key', y.object_key,
        'files', y.file_count, 'rows', y.row_count, 'bytes', y.bytes) order by y.snapshot_id), '[]') from history y),
    'kept', (select coalesce(jsonb_agg(jsonb_build_object('object_key', m.object_key, 'bytes', m.bytes, 'snapshot', m.begin_snapshot,
        'added_files', m.added_files, 'added_rows', m.added_rows, 'files', cardinality(m.files), 'rows', m.row_count,
        'min_sequence', m.min_sequence) order by m.files[1], m.object_key), '[]') from kept m),
    'files', (select coalesce(jsonb_agg(jsonb_build_array(o.id, o.begin_snapshot, o.dataset_id, o.period_tag, o.object_key, o.bytes,
        o.row_count, o.is_new) order by o.id), '[]') from open o),
    'statistics', (select coalesce(jsonb_agg(jsonb_build_array(y.file_id, y.column_id, y.null_count, y.min_value, y.max_value)), '[]')
      from (
        -- the last files first, where they have more than is taken
        select s.* from (select a.id from open a order by a.id desc) o
        cross join lateral (select x.* from public.lake_statistics x where x.file_id = o.id order by x.column_id offset 0) s
        where s.column_id in (select c.column_id from ours c where c.iceberg_type <> 'none')
        limit v_bounds) y),
    'totals', (select jsonb_build_object('files', count(*), 'rows', coalesce(sum(a.row_count), 0), 'bytes', coalesce(sum(a.bytes), 0))
      from alive a),
    'left_out', (select coalesce(jsonb_agg(jsonb_build_object('reason', g.reason, 'files', g.files, 'rows', g.rows) order by g.files desc),
        '[]')
      from (
        select s.iceberg_reason as reason, count(*) as files, sum(s.row_count) as rows from shown s
        where s.iceberg_reason is not null group by 1
        union all
        select y.reason, count(*), null from (
          select x.reason from public.lake_left_files x where v_scope = v_all and x.relation_id = r.id
          union all
          select x.reason from public.lake_left_files x where v_scope <> v_all and x.relation_id = r.id and x.dataset_id = v_scope) y
        group by 1
        order by 2 desc limit 20) g))
  into strict v_plan
  from last z;

  v_prefix := format('lake/%s/%s/%s-%s', case when v_scope = v_all then 'all' else v_scope::text end, r.uuid, v_plan ->> 'snapshot',
    h.revision);
  v_keys := array(select format('%s-m%s.avro', v_prefix, n)
    from generate_series(1, (jsonb_array_length(v_plan -> 'files') + v_each - 1) / v_each) n);
  insert into public.objects (object_key, kind, put_deadline, dataset_id, "table")
  select k.key, 'lake', clock_timestamp() + make_interval(secs => p_seconds + 600), nullif(v_scope, v_all), r.name
  from unnest(v_keys || array[v_prefix || '-list.avro', v_prefix || '.metadata.json']) as k(key);
  return v_plan || jsonb_build_object('keys', jsonb_build_object('metadata', v_prefix || '.metadata.json',
    'list', v_prefix || '-list.avro', 'manifests', to_jsonb(v_keys)));
end $$;
