-- One bounded slice of a vacuum: moves the kept versions, drops the rows of files that none of them shows and no kept snapshot of the lake, gives up
-- the objects of which every slice is dropped, and hands out the keys that the store should delete now. A key that
-- is not reported deleted within ten minutes is handed out again. Never waits for a lock.
create or replace function sediment.run_vacuum(p_limit integer, p_dataset uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  -- their rows are locked until the slice ends: few at a time, or uploads wait
  v_datasets constant integer := least(p_limit, 50);
  v_interval interval;
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  v_now timestamptz := clock_timestamp();
  d public.datasets;
  v_seen integer := 0;
  v_step jsonb;
  v_versions jsonb := '[]'::jsonb;
  v_keys text[];
  v_dropped integer := 0;
  v_bytes bigint;
  v_delete jsonb;
begin
  select make_interval(secs => s.vacuum_interval_seconds) into strict v_interval from public.service_settings s;

  for d in
    select * from public.datasets x
    where x.vacuumed_at <= v_now - v_interval and (p_dataset is null or x.id = p_dataset)
    order by x.vacuumed_at limit v_datasets
    for no key update skip locked
  loop
    v_seen := v_seen + 1;
    v_step := sediment.advance_versions(d);
    if v_step is not null then
      v_versions := v_versions || v_step;
    end if;
    select x.* into strict d from public.datasets x where x.id = d.id;

    with dropped as (
      delete from public.battle_files f
      where f.id = any (array(
        select x.id from public.battle_files x
        where x.dataset_id = d.id and x.removed_version <= d.vacuumable_version
          -- what a kept snapshot of the lake shows, or may still come to show; a remade file may have been one of the lake's before
          and (x.level = 0 or not exists (select 1 from public.lake_files l where l.battle_file = x.id)
            and not exists (select 1 from public.lake_pending n where n.file_id = x.id))
        order by x.removed_version limit greatest(p_limit - v_dropped, 0)))
      returning f.object_key, f.byte_length
    )
    select coalesce(array_agg(distinct x.object_key), '{}'), v_dropped + count(*), coalesce(sum(x.byte_length), 0)
    into strict v_keys, v_dropped, v_bytes from dropped x;
    if v_bytes > 0 then
      update public.datasets x set retired_bytes = greatest(x.retired_bytes - v_bytes, 0) where x.id = d.id;
    end if;
    perform sediment.retire_object(k.key, format('no version since %s shows it', d.oldest_kept_version), '0')
    from unnest(v_keys) as k(key)
    where not exists (select 1 from public.battle_files f where f.object_key = k.key);
    -- The slice ended inside this dataset: it is due still, behind all that have waited for longer, so that one with much
    -- to drop does not take every slice.
    if v_dropped >= p_limit then
      update public.datasets x set vacuumed_at = v_now - v_interval where x.id = d.id;
      exit;
    end if;
  end loop;

  v_now := clock_timestamp();
  with due as (
    select o.object_key from public.objects o
    where o.delete_after <= v_now and o.state in ('deleting', 'tombstone')
      and (p_dataset is null or o.dataset_id = p_dataset)
    order by o.delete_after limit p_limit
    for update skip locked
  ), handed as (
    update public.objects o
    set delete_after = clock_timestamp() + interval '10 minutes', updated_at = clock_timestamp()
    from due x where o.object_key = x.object_key
    returning o.object_key, o.kind, o.state, o.size, o.delete_reason
  )
  select coalesce(jsonb_agg(jsonb_build_object('object_key', h.object_key, 'kind', h.kind, 'state', h.state,
    'size', h.size, 'reason', h.delete_reason) order by h.object_key), '[]')
  into strict v_delete from handed h;

  return jsonb_build_object('versions', v_versions, 'files_dropped', v_dropped, 'delete', v_delete,
    'more', v_seen >= v_datasets or v_dropped >= p_limit or jsonb_array_length(v_delete) >= p_limit);
end $$;
