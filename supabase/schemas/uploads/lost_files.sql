-- The data files of an upload whose bytes are gone or changed, as far as a merge or the store check has found. An upload
-- without any row left was merged and vacuumed, which is every upload's normal end, and has lost nothing.
create or replace function sediment.lost_files(p_upload uuid)
returns bigint
language plpgsql
stable
set search_path = ''
-- pooled connections keep plans that were made while the tables were small
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
begin
  return (select count(*) from public.battle_files f
    where coalesce(f.upload_id, f.run_id) = p_upload
      -- not "is null", which would let a partial index be read from end to end
      and coalesce(f.removed_version, -1) = -1
      and (f.lost_since is not null
        or f.state = 'quarantined' and f.quarantine_code in ('object_missing', 'object_changed')));
end $$;
