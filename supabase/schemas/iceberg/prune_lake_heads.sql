-- Forgets metadata that nobody is to be given any more: of tables that are out of the lake, of what a purge has dropped, and what
-- nobody has asked for in a week. It is written again when somebody asks. Its objects go an hour later. Bounded, and never waits.
-- Returns the number of heads.
create or replace function sediment.prune_lake_heads(p_limit integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_count integer := 0;
  v_keys text[];
  h record;
begin
  for h in
    select x.relation_id, x.dataset_id, x.object_key from public.lake_heads x
    left join public.lake_relations r on r.id = x.relation_id
    where (x.claimed_until is null or x.claimed_until < clock_timestamp()) and (r.id is null or r.end_snapshot is not null
      or x.drop_history or x.seen_at < clock_timestamp() - interval '7 days')
    limit p_limit
    for update of x skip locked
  loop
    with manifests as (
      delete from public.lake_manifests m where m.relation_id = h.relation_id and m.dataset_id = h.dataset_id returning m.object_key
    ), lists as (
      delete from public.lake_manifest_lists y where y.relation_id = h.relation_id and y.dataset_id = h.dataset_id returning y.object_key
    )
    select array(select m.object_key from manifests m union all select y.object_key from lists y) into strict v_keys;
    perform sediment.retire_object(k.key, 'nobody reads the table by it', interval '1 hour')
    from unnest(v_keys || h.object_key) as k(key) where k.key is not null;
    delete from public.lake_heads x where x.relation_id = h.relation_id and x.dataset_id = h.dataset_id;
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
