-- A slice of the last part of deletions, when late retries can't come any more and no kept version shows their rows: each
-- upload of the dataset of which all rows were deleted leaves the ledger; where only some were, the bytes of these leave the
-- object that others share with them. One walk through the ledger does that for all deletions up to its version that were
-- done when it began; that of one upload needs none. Returns the number of uploads looked at.
create or replace function sediment.forget_deleted(x public.deletions, p_limit integer)
returns bigint
language plpgsql
set search_path = ''
-- what is joined below are thousands of both
set enable_nestloop = off
set enable_mergejoin = off
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_whole bigint;
  w public.deletions;
  u public.uploads;
  v_found record;
begin
  if x.kind = 'upload' then
    select * into u from public.uploads y where y.id = x.upload_id;
    if found then
      perform sediment.forget_upload(u);
    end if;
    update public.deletions y set forgotten_at = v_now where y.id = x.id;
    return 1;
  end if;

  -- the walk that is under way, else the newest one's, which is everybody's
  select z.* into strict w
  from public.deletions z
  join public.datasets d on d.id = z.dataset_id
  join public.service_settings s on s.id
  where z.dataset_id = x.dataset_id and z.forgotten_at is null and z.upload_id is null
    and z.state = case when z.purge then 'purged' else 'removed' end
    and z.requested_at + make_interval(secs => s.deleted_upload_seconds) <= v_now and d.oldest_kept_version >= z.version
  order by z.after_hash = '', z.version desc limit 1
  for no key update of z skip locked;
  if w.after_hash = '' then
    w.walk_began_at := v_now;
  end if;
  select max(y.version) into v_whole from public.deletions y
  where y.dataset_id = w.dataset_id and y.kind = 'dataset' and y.version <= w.version
    and y.state = case when y.purge then 'purged' else 'removed' end;

  with done as materialized (
    select coalesce(y."table", '') as "table", coalesce(y.period_tag, '') as period_tag, y.upload_id, y.version
    from public.deletions y
    where y.dataset_id = w.dataset_id and y.version <= w.version
      and y.state = case when y.purge then 'purged' else 'removed' end
  ), scopes as materialized (
    select y."table", y.period_tag, max(y.version) as version from done y where y.upload_id is null group by 1, 2
  ), batch as materialized (
    select y as upload, y.id, sediment.upload_version(y) as version, y."table", y.period_tag, y.content_hash
    from public.uploads y
    where y.dataset_id = w.dataset_id
      and (y."table", y.period_tag, y.content_hash) > (w.after_table, w.after_period_tag, w.after_hash)
    order by y."table", y.period_tag, y.content_hash limit p_limit
  ), slices as materialized (
    select b.id, b.version, s."table", s.period_tag
    from batch b cross join lateral sediment.upload_slices(b.upload) s
    where b.version < w.version
  ), told as (
    select y.id, coalesce(greatest(v_whole, t.version, p.version, b.version, o.version) > y.version, false) as is_gone
    from slices y
    left join scopes t on t."table" = y."table" and t.period_tag = ''
    left join scopes p on p."table" = '' and p.period_tag = y.period_tag
    left join scopes b on b."table" = y."table" and b.period_tag = y.period_tag
    left join done o on o.upload_id = y.id
  ), of_uploads as materialized (
    select z.id, bool_and(z.is_gone) as all_gone, bool_or(z.is_gone) as some_gone from told z group by z.id
  )
  select (select count(*) from batch b) as seen,
    coalesce((select array_agg(z.id) from of_uploads z where z.all_gone), '{}') as gone,
    coalesce((select array_agg(z.id) from of_uploads z where z.some_gone and not z.all_gone), '{}') as shared,
    (select array[b."table", b.period_tag, b.content_hash] from batch b
      order by b."table" desc, b.period_tag desc, b.content_hash desc limit 1) as last
  into strict v_found;
  for u in
    select y.* from public.uploads y where y.id = any (v_found.gone) order by y."table", y.period_tag, y.content_hash
  loop
    perform sediment.forget_upload(u);
  end loop;
  perform sediment.plan_splits(v_found.shared, 'deletion ' || w.id);
  if v_found.seen = p_limit then
    update public.deletions y
    set after_table = v_found.last[1], after_period_tag = v_found.last[2], after_hash = v_found.last[3],
      walk_began_at = w.walk_began_at
    where y.id = w.id;
    return v_found.seen;
  end if;
  update public.deletions y set forgotten_at = v_now
  where y.id = any (array(
    select z.id from public.deletions z
    where z.dataset_id = w.dataset_id and z.forgotten_at is null and z.version <= w.version and z.upload_id is null
      and z.state = case when z.purge then 'purged' else 'removed' end
      and coalesce(z.purged_at, z.removed_at) <= w.walk_began_at
    for no key update skip locked));
  return v_found.seen;
end $$;
