-- Files of objects that the store's check has found sound again are missed no longer, and those whose own bytes it has
-- compared leave the quarantine that they were in for bytes that were gone or changed: somebody has brought the object back,
-- or the store had lied twice. Their partitions get a run.
--   p_sound: keys of objects; p_intact: ids of their files whose bytes were compared; p_etags: of those whose ETag is another
-- What somebody else has locked is left to the next look.
create or replace function sediment.readmit_files(p_sound text[], p_intact bigint[], p_etags jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v record;
  v_codes constant text[] := array['object_missing', 'object_changed'];
begin
  update public.battle_files f
  set lost_since = case when f.state = 'active' then null else f.lost_since end,
    etag = coalesce(p_etags ->> f.object_key, f.etag)
  where f.id = any (array(
    select x.id from public.battle_files x
    where x.object_key = any (p_sound) and x.removed_version is null
      and (x.lost_since is not null and x.state = 'active' or p_etags ? x.object_key)
    order by x.id for no key update skip locked));
  for v in
    select x.id, x.dataset_id, x."table", x.period_tag from public.battle_files x
    where x.id = any (p_intact) and x.object_key = any (p_sound) and x.removed_version is null
      and x.state = 'quarantined' and x.quarantine_code = any (v_codes)
    order by x.dataset_id, x."table", x.period_tag, x.id
  loop
    perform 1 from public.partitions y
    where y.dataset_id = v.dataset_id and y."table" = v."table" and y.period_tag = v.period_tag
    for no key update skip locked;
    continue when not found;
    update public.battle_files x
    set state = 'active', quarantine_code = null, quarantine_reason = null, quarantined_at = null, lost_since = null,
      remake_at = null, remake_tries = 0,
      rewrite = coalesce(x.rewrite, sediment.lake_mark(x."table", x.level, x.lake_version))
    where x.id = v.id and x.object_key = any (p_sound) and x.removed_version is null and x.state = 'quarantined'
      and x.quarantine_code = any (v_codes);
    continue when not found;
    update public.partitions y set demand_seq = y.demand_seq + 1
    where y.dataset_id = v.dataset_id and y."table" = v."table" and y.period_tag = v.period_tag;
    perform sediment.wake_partition(v.dataset_id, v."table", v.period_tag, 'scheduled', 'sweep', 0);
  end loop;
end $$;
