-- Takes files that a purge has dropped out of all snapshots, also of the kept ones. It waits for a publication or a pruning that
-- goes on, which might have seen them still; until the purge has committed none begins, and they come again with the next tick.
-- Metadata that names them is not given to anybody any more, and what is being written with them is not taken: of all that is
-- shown of these tables, since what the lake has forgotten of a file (sediment.prune_lake) somebody may be writing still.
--   p_tables: those of p_files, of the dataset p_dataset
create or replace function sediment.purge_lake(p_dataset uuid, p_tables text[], p_files bigint[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock_shared(sediment.lake_lock());
  -- also where there is none: it waits for who is making one
  insert into public.lake_heads as h (relation_id, dataset_id, revision, drop_history)
  select s.id, s.dataset_id, nextval('sediment.lake_revisions'), true
  from (
    select x.id, y.dataset_id from public.lake_relations x
    cross join lateral (values (p_dataset), ('00000000-0000-0000-0000-000000000000'::uuid)) y (dataset_id)
    where x.name = any (p_tables) and x.end_snapshot is null
    order by 1, 2) s (id, dataset_id)
  on conflict (relation_id, dataset_id) do update set drop_history = true, revision = excluded.revision;
  delete from public.lake_files l where l.battle_file = any (p_files);
  delete from public.lake_left_files l where l.battle_file = any (p_files);
end $$;
