-- Has the check of the store look at what a run reads in vain, some files at a time, in place of waiting until its list comes
-- to them: it takes the findings back where the objects are there, and sets the files aside where they are not and known
-- ones are. No more within breaker_window_seconds than make it doubt the store instead (sediment.miss_files). While the
-- breaker is open it is the store. The caller holds the partition's lock.
create or replace function sediment.suspect_inputs(p public.partitions)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_most constant integer := 5;
  v_suspected integer;
begin
  if exists (select 1 from public.circuit_breaker b where b.state = 'open') then
    return;
  end if;
  select count(*) into strict v_suspected
  from public.store_findings n cross join public.service_settings s
  where n.kind in ('lost', 'changed') and n.found_at > v_now - make_interval(secs => s.breaker_window_seconds);
  insert into public.store_findings (object_key, kind, detail, found_at, looked_at)
  select f.object_key, 'lost', 'a run did not find it', v_now, v_now
  from public.battle_files f
  where f.id = any (p.staged_inputs) and f.removed_version is null and f.state = 'active'
    and not exists (select 1 from public.store_findings n where n.object_key = f.object_key)
  group by f.object_key
  order by min(f.seq_min), f.object_key limit greatest(0, v_most - v_suspected)
  on conflict (object_key) do nothing;
end $$;
