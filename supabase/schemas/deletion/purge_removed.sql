-- A slice of a purge whose files are taken out: drops every data file that held rows of the scope, also those that
-- merges had replaced, and has the store delete each object of which nothing is left. Then what is staged, and what was on
-- its way out at leisure. An object that also holds slices of other tables (an upload of many) comes after that
-- (sediment.split_purged). The lake shows none of them any more, at no snapshot. Locks the dataset, the lake, then objects. Returns the number of files.
create or replace function sediment.purge_removed(x public.deletions, p_limit integer)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_reason constant text := 'deletion ' || x.id;
  v_now timestamptz := clock_timestamp();
  v_keys text[];
  v_dropped bigint;
  v_bytes bigint;
  v_of_lake bigint[];
  v_tables text[];
begin
  perform 1 from public.datasets d where d.id = x.dataset_id for no key update;
  with dropped as (
    delete from public.battle_files f
    where f.id = any (array(
      select y.id from public.battle_files y
      where y.dataset_id = x.dataset_id and y.removed_version <= x.version and y.added_version < x.version
        and (x.upload_id is null or y.upload_id = x.upload_id or y.level > 0 and exists (
          select 1 from public.deleted_slices s
          where s.deletion_id = x.id and s."table" = y."table" and s.period_tag = y.period_tag
            and sediment.seqs_of(y) @> s.seq))
        and (x."table" is null or y."table" = x."table") and (x.period_tag is null or y.period_tag = x.period_tag)
      order by y.removed_version limit p_limit))
    returning f.object_key, f.byte_length, f.id, f.lake_version, f."table"
  )
  select coalesce(array_agg(distinct y.object_key), '{}'), count(*), coalesce(sum(y.byte_length), 0),
    array_agg(y.id) filter (where y.lake_version is not null), array_agg(distinct y."table") filter (where y.lake_version is not null)
  into strict v_keys, v_dropped, v_bytes, v_of_lake, v_tables from dropped y;
  if v_of_lake is not null then
    perform sediment.purge_lake(x.dataset_id, v_tables, v_of_lake);
  end if;
  update public.datasets d set retired_bytes = greatest(d.retired_bytes - v_bytes, 0) where d.id = x.dataset_id;
  perform sediment.retire_object(k.key, v_reason, '0') from unnest(v_keys) as k(key)
  where not exists (select 1 from public.battle_files f where f.object_key = k.key);
  if v_dropped >= p_limit then
    return v_dropped;
  end if;

  update public.objects o
  set delete_after = v_now, delete_reason = v_reason, updated_at = v_now
  where o.object_key = any (array(
    select y.object_key from public.objects y
    where y.delete_after > v_now and y.state = 'deleting' and y.kind in ('fragment', 'compacted', 'incoming')
      and y.dataset_id = x.dataset_id and (x."table" is null or y."table" = x."table")
      and (x.period_tag is null or y.period_tag = x.period_tag)
      -- of one upload what a healing has replaced
      and (x.upload_id is null or y.kind = 'fragment' and exists (
        select 1 from public.uploads u where u.id = x.upload_id and (u.dataset_id, u."table", u.period_tag, u.content_hash)
          = (y.dataset_id, y."table", y.period_tag, y.content_hash)))
      and not exists (select 1 from public.battle_files f where f.object_key = y.object_key)
    for update skip locked));
  -- what is staged can't be committed any more: by the version of its stage, by the token of its run
  perform sediment.discard_object(y.object_key, v_reason) from (
    select z.object_key from public.objects z
    where z.state = 'staged' and z.put_deadline > '-infinity' and z.dataset_id = x.dataset_id and x.upload_id is null
      and (x."table" is null or z."table" = x."table") and (x.period_tag is null or z.period_tag = x.period_tag)
      and (z.kind = 'fragment' and z.staged_version < x.version or z.kind = 'compacted' and exists (
        select 1 from public.partitions p where p.dataset_id = z.dataset_id and p."table" = z."table"
          and p.period_tag = z.period_tag and p.token > z.token))
    order by z.object_key for update skip locked) y;
  -- Of one upload: what merges had written that were refused for it, or given up before. The run that is under way may go on
  -- when all that it has read is shown still, since that has no row of it.
  perform sediment.discard_object(y.object_key, v_reason) from (
    select z.object_key
    from public.deleted_slices s
    join public.objects z on z.dataset_id = s.dataset_id and z."table" = s."table" and z.period_tag = s.period_tag
    join public.partitions p on p.dataset_id = s.dataset_id and p."table" = s."table" and p.period_tag = s.period_tag
    where s.deletion_id = x.id and z.state = 'staged' and z.put_deadline > '-infinity' and z.kind = 'compacted'
      and z.created_at <= x.removed_at
      and not (z.run_id = p.run_id and z.token = p.token
        and z.run_ordinal = (select max(o.run_ordinal) from public.objects o
          where o.state = 'staged' and o.put_deadline > '-infinity' and o.run_id = z.run_id and o.token = z.token)
        and cardinality(p.staged_inputs) = (select count(*) from public.battle_files f
          where f.id = any (p.staged_inputs) and f.removed_version is null))
    order by z.object_key for update of z skip locked) y;
  update public.deletions y set state = 'purging' where y.id = x.id;
  return v_dropped;
end $$;
