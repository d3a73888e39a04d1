-- An output was set aside since its bytes are gone or changed: while all that it replaced is kept, a run of its partition
-- remakes it from that (claim_compaction's remake). The caller holds the partition's lock.
create or replace function sediment.plan_remake(p_file bigint)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.battle_files f set remake_at = clock_timestamp(), remake_tries = 0
  where f.id = p_file and f.level > 0 and f.removed_version is null and sediment.retired_inputs(f) is not null;
end $$;
