-- Whether a caller may have a request signed that reads an object, now: a file that a kept snapshot of the lake shows, or what
-- was written for readers of Iceberg, of a table that they may load. What waits for its deletion may still be read by whoever has
-- begun to (commit_lake_metadata). Asked before each signature.
--   p_user: null: a service; p_namespace, p_table: null: whichever the key is of
-- Returns {signs: true}. Raises forbidden for all that they may not read, not_found, dataset_forbidden, user_deleted, dataset_deleted.
create or replace function public.sign_lake_object(p_user uuid, p_key text, p_namespace text default null, p_table text default null)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_all constant uuid := '00000000-0000-0000-0000-000000000000'::uuid;
  v_scope uuid;
begin
  -- keys are lake/DATASET/… and battle_compacted/DATASET/…
  v_scope := sediment.lake_scope(p_user, coalesce(p_namespace, case when p_user is null then 'lake' else split_part(p_key, '/', 2) end));
  if not exists (
    select 1 from public.battle_files f join public.datasets d on d.id = f.dataset_id
      join public.lake_files l on l.battle_file = f.id and l.object_key = f.object_key
      join public.lake_relations r on r.id = l.relation_id
    where f.object_key = p_key and f.start_byte = 0 and f.object_key like '%.parquet' and (v_scope = v_all or f.dataset_id = v_scope)
      and r.end_snapshot is null and (p_table is null or r.name = p_table)
      -- what was deleted, carried out or not, is read as long as a version before is kept; what a merge has taken longer, by
      -- whoever travels in time
      and (p_user is null or not (d.deletion_version > f.added_version and (sediment.is_marked(f, d.oldest_kept_version)
        or f.removed_version <= d.oldest_kept_version and exists (
          select 1 from public.deletions x where x.dataset_id = f.dataset_id and x.version = f.removed_version)))))
  and not exists (
    select 1 from public.objects o
      join public.lake_relations r on r.name = o."table" and r.uuid::text = split_part(p_key, '/', 3) and r.end_snapshot is null
    where o.object_key = p_key and o.kind = 'lake' and coalesce(o.dataset_id, v_all) = v_scope
      and (o.state = 'stored' or o.state = 'deleting' and o.delete_after > clock_timestamp())
      and (p_table is null or r.name = p_table))
  then
    perform sediment.fail('forbidden', 403, 'no table that you may load has such an object');
  end if;
  return '{"signs": true}'::jsonb;
end $$;
