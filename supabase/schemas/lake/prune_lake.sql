-- Forgets the lake's snapshots that are older than lake_retention_seconds, but for the one that was current then, and what
-- none of the others shows: a bounded part at a time. Vacuum may have the files from then on. Never waits, and where nothing
-- is due takes no lock: purges and publications wait for who has it.
-- Returns the number of files.
create or replace function sediment.prune_lake(p_limit integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_kept bigint;
  v_oldest bigint;
  v_mappings bigint[];
  v_files integer;
begin
  select x.id into v_kept from public.lake_snapshots x
  where x.at <= (select clock_timestamp() - make_interval(secs => s.lake_retention_seconds) from public.service_settings s)
  order by x.at desc limit 1;
  if not exists (select 1 from public.lake_snapshots x where x.id < v_kept)
    and not exists (select 1 from public.lake_files l where l.end_snapshot <= v_kept)
  then
    return 0;
  end if;
  if not pg_try_advisory_xact_lock(sediment.lake_lock()) then
    return 0;
  end if;
  delete from public.lake_snapshots x where x.id = any (array(
    select y.id from public.lake_snapshots y where y.id < v_kept order by y.id limit p_limit));
  select min(x.id) into strict v_oldest from public.lake_snapshots x;

  with gone as (
    delete from public.lake_files l where l.id = any (array(
      select y.id from public.lake_files y where y.end_snapshot <= v_oldest order by y.end_snapshot limit p_limit))
    returning l.mapping_id
  )
  select count(*), coalesce(array_agg(distinct g.mapping_id), '{}') into strict v_files, v_mappings from gone g;
  -- one that comes again gets another number
  delete from public.lake_schemas k
  where k.mapping_id = any (v_mappings) and not exists (select 1 from public.lake_files l where l.mapping_id = k.mapping_id);
  delete from public.lake_columns c where c.end_snapshot <= v_oldest and exists (
    select 1 from public.lake_columns y where y.relation_id = c.relation_id and y.column_id = c.column_id
      and y.begin_snapshot = c.end_snapshot);
  delete from public.lake_relations x
  where x.end_snapshot <= v_oldest and not exists (select 1 from public.lake_files l where l.relation_id = x.id);
  return v_files;
end $$;
