-- Ends all versions of a dataset before one, as a purge does. While URLs of an earlier end are alive that end keeps its time,
-- and this one has its own step after it (sediment.advance_versions). The caller holds the dataset's lock.
create or replace function sediment.end_versions(p_dataset uuid, p_version bigint)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.datasets d
  set oldest_kept_version = p_version,
    ending_version = case when d.ending_version <= d.vacuumable_version then p_version else d.ending_version end,
    oldest_kept_at = case when d.ending_version <= d.vacuumable_version then clock_timestamp() else d.oldest_kept_at end
  where d.id = p_dataset and d.oldest_kept_version < p_version;
end $$;
