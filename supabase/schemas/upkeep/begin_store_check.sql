-- Hands out a slice of the check of the store: findings to look at again, a page of its list, data files to read.
--   p_full: also where the list's next pass is not due, and the day's bytes are read (by hand)
--   p_restart: from the beginning
-- Returns {claimed: false, reason: 'busy'|'breaker_open'|'not_due'} or {claimed: true, token, list: null | {cursor|null,
-- after}, suspects: [{object_key, kind, files}], sound: files of which one must be as it was where others are to be missed,
-- files: [{id, object_key, start_byte, byte_length, checksum (null among suspects and sound: not known)}], read: null | {after, ended}
-- (what to say when all of files were read), passes, reads}.
create or replace function public.begin_store_check(p_full boolean default false, p_restart boolean default false)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  c public.store_check;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_list boolean;
  v_suspects jsonb;
  v_sound jsonb;
  v_read record;
begin
  if exists (select 1 from public.circuit_breaker b where b.state = 'open') then
    return jsonb_build_object('claimed', false, 'reason', 'breaker_open');
  end if;
  select * into c from public.store_check x for no key update skip locked;
  if not found or c.leased_until > v_now then
    return jsonb_build_object('claimed', false, 'reason', 'busy');
  end if;
  select * into strict s from public.service_settings;
  if p_restart or c.tries >= 5 then
    c.list_cursor := null; c.after_key := ''; c.tries := 0; c.pass_started_at := null;
    c.read_after := case when p_restart then 0 else c.read_after end;
  end if;
  v_list := p_full or c.pass_started_at is not null
    or coalesce(c.pass_ended_at, '-infinity') <= v_now - make_interval(secs => s.store_check_interval_seconds);

  -- an asset is like a file that is all of its object
  select coalesce(jsonb_agg(jsonb_build_object('object_key', x.object_key, 'kind', x.kind, 'files', (
    select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'object_key', x.object_key, 'start_byte', f.start_byte,
      'byte_length', f.byte_length, 'checksum', f.checksum)), '[]')
    from (
      select y.id, y.start_byte, y.byte_length, y.checksum from public.battle_files y
      where y.object_key = x.object_key and y.removed_version is null
      union all
      select 0, 0, a.size, left(a.content_hash, 16) from public.assets a where a.object_key = x.object_key
    ) f where x.kind in ('lost', 'changed')))), '[]')
  into strict v_suspects from sediment.store_suspects(p_full, 50) x;

  -- of the youngest three small ones of which nothing bad is known
  select coalesce(jsonb_agg(jsonb_build_object('id', x.id, 'object_key', x.object_key, 'start_byte', x.start_byte,
    'byte_length', x.byte_length, 'checksum', x.checksum)), '[]')
  into strict v_sound from (
    select distinct on (y.removed_version is not null, y.checksum is null, y.byte_length, y.object_key) y.*
    from (select f.* from public.battle_files f order by f.id desc limit 1000) y
    join public.objects o on o.object_key = y.object_key and o.state = 'stored'
    where y.state = 'active' and y.lost_since is null
      and not exists (select 1 from public.store_findings n where n.object_key = y.object_key)
    -- what merges have replaced nobody reads again
    order by y.removed_version is not null, y.checksum is null, y.byte_length, y.object_key limit 3) x;

  -- the ids beyond the last one: what is gone, set aside or of no known checksum is passed over
  with window_ as (
    select f.* from public.battle_files f where f.id > c.read_after order by f.id limit 2000
  ), chosen as (
    select w.* from window_ w
    where w.removed_version is null and w.state = 'active' and w.checksum is not null order by w.id limit 20
  )
  select (select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte,
      'byte_length', f.byte_length, 'checksum', f.checksum) order by f.id), '[]') from chosen f) as files,
    case when (select count(*) from chosen) = 20 then (select max(f.id) from chosen f)
      else coalesce((select max(w.id) from window_ w), c.read_after) end as after,
    (select count(*) from chosen) < 20 and (select count(*) from window_) < 2000 as ended
  into v_read
  where p_full or s.store_check_bytes_per_day > 0 and c.read_at <= v_now;

  if not v_list and v_read.after is null and v_suspects = '[]' then
    return jsonb_build_object('claimed', false, 'reason', 'not_due');
  end if;
  update public.store_check x
  set token = x.token + 1, begun_at = v_now, leased_until = v_now + interval '5 minutes', tries = c.tries + 1,
    list_cursor = c.list_cursor, after_key = c.after_key, read_after = c.read_after,
    pass_started_at = case when v_list then coalesce(c.pass_started_at, v_now) end
  where x.id
  returning * into strict c;
  return jsonb_build_object('claimed', true, 'token', c.token, 'passes', c.passes, 'reads', c.reads,
    'list', case when v_list then jsonb_build_object('cursor', c.list_cursor, 'after', c.after_key) end,
    'suspects', v_suspects, 'sound', v_sound, 'files', coalesce(v_read.files, '[]'),
    'read', case when v_read.after is not null then jsonb_build_object('after', v_read.after, 'ended', v_read.ended) end);
end $$;
