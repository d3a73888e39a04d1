-- What follows from findings that this slice of the store's check has made or confirmed: visible files whose bytes are gone or
-- changed are set aside as a merge's second look does it, so that an output is remade, and an upload healed by the same bytes
-- when they come again. Where ten and more were found within breaker_window_seconds, or no known object can be read, it is
-- rather the store that is not the one it should be, and nothing follows; nor for more than ten files in that time. Where
-- there is no known object at all they are only missed: listed with an error, asked for again, looked at by the next merge.
--   p_found, p_probed: as commit_store_check takes them; it holds the lock of the check
-- What somebody else has locked is left to the next look. Returns the number of files set aside.
create or replace function sediment.miss_files(p_found jsonb, p_probed boolean)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  s public.service_settings;
  v_now constant timestamptz := clock_timestamp();
  v_many constant integer := 10;
  v_window timestamptz;
  v_room integer;
  v_set_aside integer := 0;
  v record;
  f public.battle_files;
begin
  select * into strict s from public.service_settings;
  v_window := v_now - make_interval(secs => s.breaker_window_seconds);
  if p_probed is false or (select count(*) from public.store_findings n
    where n.kind in ('lost', 'changed') and n.found_at > v_window) >= v_many
  then
    return 0;
  end if;
  v_room := v_many - (select count(*) from (select 1 from public.battle_files x
    where x.removed_version is null and x.lost_since > v_window limit v_many) y);

  if p_probed is null then
    update public.battle_files x set lost_since = v_now
    where x.id = any (array(
      select y.id from jsonb_to_recordset(p_found) as t(object_key text, files bigint[])
      join public.store_findings n on n.object_key = t.object_key
      join public.battle_files y on y.object_key = n.object_key and y.removed_version is null
      where (n.kind = 'lost' or n.kind = 'changed' and y.id = any (t.files)) and n.confirmed_at is not null
        and y.state = 'active' and y.lost_since is null
      order by y.id limit v_room for no key update of y skip locked));
    return 0;
  end if;

  for v in
    select x.id, x.dataset_id, x."table", x.period_tag, x.object_key, n.kind, n.detail, x.level
    from jsonb_to_recordset(p_found) as t(object_key text, files bigint[])
    join public.store_findings n on n.object_key = t.object_key
    join public.battle_files x on x.object_key = t.object_key
    where n.kind in ('lost', 'changed') and n.confirmed_at is not null and x.id = any (t.files)
      and x.removed_version is null and x.state = 'active'
    order by x.dataset_id, x."table", x.period_tag, x.id
  loop
    exit when v_set_aside >= v_room;
    perform 1 from public.partitions y
    where y.dataset_id = v.dataset_id and y."table" = v."table" and y.period_tag = v.period_tag
    for no key update skip locked;
    continue when not found;
    -- healed, merged or deleted meanwhile
    select * into f from public.battle_files x where x.id = v.id;
    continue when not found or f.object_key <> v.object_key or f.removed_version is not null or f.state <> 'active';
    perform sediment.set_aside_lost(v.id, case v.kind when 'lost' then 'object_missing' else 'object_changed' end,
      'the check of the store: ' || v.detail);
    -- it counts among those of this time, whenever a merge first missed it
    update public.battle_files x set lost_since = v_now where x.id = v.id;
    v_set_aside := v_set_aside + 1;
    if v.level > 0 then
      update public.partitions y set demand_seq = y.demand_seq + 1
      where y.dataset_id = v.dataset_id and y."table" = v."table" and y.period_tag = v.period_tag;
      perform sediment.wake_partition(v.dataset_id, v."table", v.period_tag, 'scheduled', 'sweep', 0);
    else
      perform sediment.look_again(v.dataset_id, v."table", v.period_tag);
    end if;
  end loop;
  return v_set_aside;
end $$;
