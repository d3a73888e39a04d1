-- Takes files that a purge has dropped out of all snapshots, also of the kept ones. It waits for a publication or a pruning that
-- goes on, which might have seen them still; until the purge has committed none begins, and they come again with the next tick.
create or replace function sediment.purge_lake(p_files bigint[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock_shared(sediment.lake_lock());
  delete from public.lake_files l where l.battle_file = any (p_files);
  delete from public.lake_left_files l where l.battle_file = any (p_files);
end $$;
