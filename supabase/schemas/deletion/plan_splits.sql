-- Of uploads of several slices some were deleted, and others are there in the same object: it is to be split, which gives
-- each of these an object of its own (stage_splits), so that the bytes of the deleted ones can go. Where no slice was
-- deleted nothing is planned; of one that has left the ledger all were. Locks objects by key, as a vacuum does.
--   p_reason: why an object is deleted then
create or replace function sediment.plan_splits(p_uploads uuid[], p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
begin
  if cardinality(p_uploads) = 0 then
    return;
  end if;
  with shared as materialized (
    select distinct f.object_key
    from unnest(p_uploads) as i(id)
    join public.uploads u on u.id = i.id
    join public.battle_files f on coalesce(f.upload_id, f.run_id) = u.id and f.level = 0
    where exists (
      select 1 from sediment.upload_slices(u) s
      join public.deletions x on x.dataset_id = u.dataset_id and x.version > sediment.upload_version(u)
        and (x.upload_id is null or x.upload_id = u.id)
        and (x."table" is null or x."table" = s."table")
        and (x.period_tag is null or x.period_tag = s.period_tag))
    union
    select f.object_key from unnest(p_uploads) as i(id)
    join public.forgotten_uploads u on u.id = i.id
    join public.battle_files f on coalesce(f.upload_id, f.run_id) = u.id and f.level = 0
  ), planned as (
    select o.object_key from public.objects o
    where o.object_key = any (array(select s.object_key from shared s)) and o.state = 'stored' and o.split_at is null
      -- what one slice fills holds nothing of another
      and not exists (select 1 from public.battle_files f where f.object_key = o.object_key and f.byte_length = o.size)
    order by o.object_key
    for no key update
  )
  update public.objects o set split_at = v_now, delete_reason = p_reason, updated_at = v_now
  from planned p where o.object_key = p.object_key;
end $$;
