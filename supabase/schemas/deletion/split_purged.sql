-- A slice of the last part of a purge of a table or period: objects that hold slices of its scope and others are to be
-- split. The ledger tells which, since rows of slices that merges had taken may be long gone; of uploads that have left it, the
-- rows that older versions still show. When all are gone from the store the purge is done. Returns whether anything was done: until the objects are gone it waits.
create or replace function sediment.split_purged(x public.deletions, p_limit integer)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_seen bigint := 0;
  v_uploads uuid[] := '{}'::uuid[];
  u public.uploads;
begin
  -- of a dataset nothing is left, of an upload the whole object went
  if x.kind in ('table', 'period') then
    for u in
      select * from public.uploads y
      where y.dataset_id = x.dataset_id
        and (y."table", y.period_tag, y.content_hash) > (x.after_table, x.after_period_tag, x.after_hash)
      order by y."table", y.period_tag, y.content_hash limit p_limit
    loop
      v_seen := v_seen + 1;
      if sediment.upload_version(u) < x.version
        and sediment.has_slices(u)
      then
        v_uploads := v_uploads || u.id;
      end if;
    end loop;
    if v_seen < p_limit then
      v_uploads := v_uploads || array(
        select w.id from public.forgotten_uploads w
        where w.dataset_id = x.dataset_id and w.version < x.version and jsonb_array_length(w.slices) > 1
          and exists (select 1 from public.battle_files f where coalesce(f.upload_id, f.run_id) = w.id and f.level = 0));
    end if;
    perform sediment.plan_splits(v_uploads, 'deletion ' || x.id);
  end if;
  if v_seen < p_limit and not exists (
    select 1 from public.objects o where o.split_at is not null and o.dataset_id = x.dataset_id)
  then
    update public.deletions y
    set state = 'purged', purged_at = clock_timestamp(), after_table = '', after_period_tag = '', after_hash = ''
    where y.id = x.id;
    return true;
  end if;
  update public.objects o set delete_after = clock_timestamp(), updated_at = clock_timestamp()
  where o.object_key = any (array(
    select y.object_key from public.objects y
    where y.split_at is not null and y.dataset_id = x.dataset_id and y.state = 'deleting'
      and y.delete_after > clock_timestamp() + interval '10 minutes'
    for update skip locked));
  update public.deletions y
  set after_table = coalesce(u."table", y.after_table), after_period_tag = coalesce(u.period_tag, y.after_period_tag),
    after_hash = coalesce(u.content_hash, y.after_hash)
  where y.id = x.id and v_seen > 0;
  return v_seen > 0;
end $$;
