-- Sets a visible file aside whose bytes a second look has found gone (object_missing) or changed (object_changed): the same
-- bytes sent again heal it, and an output is remade while what it replaced is kept. It is a finding of the store's check
-- from then on, which takes it back when the bytes turn out to be there. Where groups of schemas are told apart it may be that
-- they were by this one: the partition is looked at again. The caller holds the partition's lock.
create or replace function sediment.set_aside_lost(p_file bigint, p_code text, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_key text;
begin
  update public.battle_files f
  set state = 'quarantined', quarantine_code = p_code, quarantine_reason = left(p_reason, 2000),
    quarantined_at = v_now, lost_since = coalesce(f.lost_since, v_now)
  where f.id = p_file and f.removed_version is null
  returning f.object_key into strict v_key;
  insert into public.store_findings (object_key, kind, detail, found_at, looked_at, confirmed_at)
  values (v_key, case p_code when 'object_missing' then 'lost' else 'changed' end, left(p_reason, 1000), v_now, v_now, v_now)
  on conflict (object_key) do nothing;
  perform sediment.plan_remake(p_file);
  update public.partitions x set due_at = v_now
  from public.battle_files f
  where f.id = p_file and x.dataset_id = f.dataset_id and x."table" = f."table" and x.period_tag = f.period_tag
    and x.tier_groups is not null and x.msg_id is null and x.dead_since is null;
end $$;
