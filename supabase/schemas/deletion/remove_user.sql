-- A slice of a user's deletion: marks one of their datasets, whose files then go by a deletion of their own; or takes
-- some assets away; or the little that is left. Returns whether it did anything: until the datasets are done it waits.
-- Auth's trigger has written the row under no lock: a dataset or an asset whose commit had looked before that is there only
-- when the user's quota lock is free. So the last slice has that lock, and looks once more under it. It does not wait for it:
-- delete_user holds it and then wants the row that this holds.
create or replace function sediment.remove_user(x public.deletions, p_limit integer)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
  v_keep interval;
  v_taken bigint;
begin
  select y.* into d from public.datasets y
  where y.user_id = x.user_id and (y.deleted_at is null or x.purge and not exists (
    select 1 from public.deletions z where z.dataset_id = y.id and z.kind = 'dataset' and z.purge))
  order by y.id limit 1
  for no key update;
  if found then
    perform sediment.mark_deletion(d, x.requested_by, null, null, x.purge, x.id);
    return true;
  end if;

  v_keep := case when x.purge then '0' else sediment.signed_url_life() end;
  with taken as (
    delete from public.assets a
    where (a.user_id, a.key) in (
      select y.user_id, y.key from public.assets y where y.user_id = x.user_id order by y.key limit p_limit)
    returning a.object_key
  ), retired as (
    select sediment.retire_object(t.object_key, 'deletion ' || x.id, v_keep) as done from taken t
  )
  select count(*) into strict v_taken from retired r;
  if v_taken > 0 then
    update public.deletions y set assets = y.assets + v_taken where y.id = x.id;
    return true;
  end if;

  if exists (select 1 from public.deletions z where z.parent_id = x.id
    and (z.state = 'marked' or z.purge and z.state <> 'purged'))
  then
    return false;
  end if;
  if not sediment.try_lock_quota(x.user_id) then
    return false;
  end if;
  if exists (select 1 from public.datasets y where y.user_id = x.user_id and y.deleted_at is null)
    or exists (select 1 from public.assets a where a.user_id = x.user_id)
  then
    return true;
  end if;
  delete from public.dataset_members m where m.user_id = x.user_id;
  delete from public.idempotency_keys k where k.user_id = x.user_id;
  delete from public.user_usage u where u.user_id = x.user_id;
  delete from public.user_growth u where u.user_id = x.user_id;
  delete from public.user_limits l where l.user_id = x.user_id;
  update public.objects o set delete_after = clock_timestamp(), updated_at = clock_timestamp()
  where x.purge and o.object_key = any (array(
    select y.object_key from public.objects y
    where y.delete_after > clock_timestamp() and y.state = 'deleting' and y.kind = 'asset' and y.user_id = x.user_id
    for update skip locked));
  update public.deletions y
  set state = case when x.purge then 'purged' else 'removed' end, removed_at = clock_timestamp(),
    purged_at = case when x.purge then clock_timestamp() end, forgotten_at = clock_timestamp()
  where y.id = x.id;
  return true;
end $$;
