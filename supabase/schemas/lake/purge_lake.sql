-- Takes files that a purge has dropped out of all snapshots, also of the kept ones. It waits for a publication or a pruning that
-- goes on, which might have seen them still; until the purge has committed none begins, and they come again with the next tick.
-- Metadata that names them is not given to anybody any more, and what is being written with them is not taken.
create or replace function sediment.purge_lake(p_files bigint[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock_shared(sediment.lake_lock());
  insert into public.lake_heads as h (relation_id, dataset_id, drop_history)
  select distinct l.relation_id, s.dataset_id, true
  from public.lake_files l
  cross join lateral (values (l.dataset_id), ('00000000-0000-0000-0000-000000000000'::uuid)) s (dataset_id)
  where l.battle_file = any (p_files)
  order by 1, 2
  on conflict (relation_id, dataset_id) do update set drop_history = true, revision = h.revision + 1;
  delete from public.lake_files l where l.battle_file = any (p_files);
  delete from public.lake_left_files l where l.battle_file = any (p_files);
end $$;
