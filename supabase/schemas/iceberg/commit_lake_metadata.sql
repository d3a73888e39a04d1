-- Metadata of a lake's table is written: its objects are stored, and it is what readers are given from now on. Who was slower than
-- another one, or than a purge, has written for nothing: its objects end as all that was staged does. What no snapshot that is kept
-- names any more goes an hour later, for who has begun to read by it.
--   p_claim: {relation, dataset_id, revision, snapshot, at, columns_at, next_file, types: {column: type}, history: [snapshots that it
--     has besides], kept: [keys], totals: {files, rows, bytes}}
--   p_manifests: [{object_key, size, etag, files: [id], rows, added_files, added_rows, min_sequence}]; p_list, p_metadata:
--     {object_key, size, etag}; p_text: the metadata
-- Returns {committed}.
create or replace function public.commit_lake_metadata(p_claim jsonb, p_manifests jsonb, p_list jsonb, p_metadata jsonb, p_text text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_relation constant bigint := (p_claim ->> 'relation')::bigint;
  v_dataset constant uuid := (p_claim ->> 'dataset_id')::uuid;
  v_snapshot constant bigint := (p_claim ->> 'snapshot')::bigint;
  v_objects constant jsonb := p_manifests || p_list || p_metadata;
  v_history bigint[] := array(select x.id::bigint from jsonb_array_elements_text(p_claim -> 'history') x(id));
  v_stored integer;
  v_gone text[];
  h public.lake_heads;
begin
  select * into h from public.lake_heads x
  where x.relation_id = v_relation and x.dataset_id = v_dataset and x.revision = (p_claim ->> 'revision')::bigint
    and x.claimed_until is not null
  for update;
  if not found then
    return '{"committed": false}'::jsonb;
  end if;
  update public.objects o
  set state = 'stored', size = n.size, etag = n.etag, updated_at = clock_timestamp()
  from jsonb_to_recordset(v_objects) as n(object_key text, size bigint, etag text)
  where o.object_key = n.object_key and o.kind = 'lake' and o.state = 'staged';
  get diagnostics v_stored = row_count;
  if v_stored <> jsonb_array_length(v_objects) then
    perform sediment.fail('lease_lost', 409, 'what was written was given up meanwhile');
  end if;

  update public.lake_manifests m set end_snapshot = v_snapshot
  where m.relation_id = v_relation and m.dataset_id = v_dataset and m.end_snapshot is null
    and not (p_claim -> 'kept') ? m.object_key;
  insert into public.lake_manifests (object_key, relation_id, dataset_id, begin_snapshot, bytes, files, row_count, added_files,
    added_rows, min_sequence)
  select n.object_key, v_relation, v_dataset, v_snapshot, n.size, n.files, n.rows, n.added_files, n.added_rows, n.min_sequence
  from jsonb_to_recordset(p_manifests) as n(object_key text, size bigint, files bigint[], rows bigint, added_files integer,
    added_rows bigint, min_sequence bigint);

  with gone as (
    delete from public.lake_manifest_lists y
    where y.relation_id = v_relation and y.dataset_id = v_dataset and y.snapshot_id <> all (v_history)
    returning y.object_key
  )
  select array_agg(g.object_key) into v_gone from gone g;
  with gone as (
    delete from public.lake_manifests m
    where m.relation_id = v_relation and m.dataset_id = v_dataset and m.end_snapshot is not null
      and not exists (select 1 from unnest(v_history) x(id) where x.id >= m.begin_snapshot and x.id < m.end_snapshot)
    returning m.object_key
  )
  select v_gone || array_agg(g.object_key) into v_gone from gone g;
  insert into public.lake_manifest_lists (relation_id, dataset_id, snapshot_id, at, object_key, file_count, row_count, bytes)
  values (v_relation, v_dataset, v_snapshot, (p_claim ->> 'at')::timestamptz, p_list ->> 'object_key',
    (p_claim #>> '{totals,files}')::bigint, (p_claim #>> '{totals,rows}')::bigint, (p_claim #>> '{totals,bytes}')::bigint);
  perform sediment.retire_object(k.key, 'no snapshot of the lake names it', interval '1 hour')
  from unnest(v_gone || h.object_key) as k(key) where k.key is not null;

  update public.lake_heads x
  set claimed_until = null, snapshot_id = v_snapshot, oldest_snapshot_id = least(v_snapshot, (select min(y.id) from unnest(v_history) y(id))),
    columns_at = (p_claim ->> 'columns_at')::bigint, types = p_claim -> 'types', metadata = p_text, object_key = p_metadata ->> 'object_key', drop_history = false,
    seen_snapshot = v_snapshot, seen_file = (p_claim ->> 'next_file')::bigint, seen_at = clock_timestamp()
  where x.relation_id = v_relation and x.dataset_id = v_dataset;
  return '{"committed": true}'::jsonb;
end $$;
