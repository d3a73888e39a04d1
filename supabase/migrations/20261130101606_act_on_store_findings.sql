-- What the check of the store confirms is set aside as a merge does it, so that it heals; what it finds sound comes back. It runs
-- every ten minutes while something waits for its second look.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "public"."commit_store_check"(bigint, jsonb, jsonb, jsonb, text[]);

CREATE OR REPLACE FUNCTION public.begin_store_check(p_full boolean DEFAULT false, p_restart boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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

  select coalesce(jsonb_agg(jsonb_build_object('object_key', x.object_key, 'kind', x.kind, 'files', (
    select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte,
      'byte_length', f.byte_length, 'checksum', f.checksum)), '[]')
    from public.battle_files f where f.object_key = x.object_key and f.removed_version is null
      and x.kind in ('lost', 'changed')))), '[]')
  into strict v_suspects from sediment.store_suspects(p_full, 50) x;

  -- of the youngest three small ones of which nothing bad is known
  select coalesce(jsonb_agg(jsonb_build_object('id', x.id, 'object_key', x.object_key, 'start_byte', x.start_byte,
    'byte_length', x.byte_length, 'checksum', x.checksum)), '[]')
  into strict v_sound from (
    select distinct on (y.checksum is null, y.byte_length, y.object_key) y.*
    from (select f.* from public.battle_files f order by f.id desc limit 1000) y
    join public.objects o on o.object_key = y.object_key and o.state = 'stored'
    where y.state = 'active' and y.lost_since is null
      and not exists (select 1 from public.store_findings n where n.object_key = y.object_key)
    order by y.checksum is null, y.byte_length, y.object_key limit 3) x;

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
  set token = x.token + 1, leased_until = v_now + interval '5 minutes', tries = c.tries + 1,
    list_cursor = c.list_cursor, after_key = c.after_key, read_after = c.read_after,
    pass_started_at = case when v_list then coalesce(c.pass_started_at, v_now) end
  where x.id
  returning * into strict c;
  return jsonb_build_object('claimed', true, 'token', c.token, 'passes', c.passes, 'reads', c.reads,
    'list', case when v_list then jsonb_build_object('cursor', c.list_cursor, 'after', c.after_key) end,
    'suspects', v_suspects, 'sound', v_sound, 'files', coalesce(v_read.files, '[]'),
    'read', case when v_read.after is not null then jsonb_build_object('after', v_read.after, 'ended', v_read.ended) end);
end $function$;

CREATE OR REPLACE FUNCTION public.commit_store_check(p_token bigint, p_list jsonb DEFAULT NULL::jsonb, p_read jsonb DEFAULT NULL::jsonb, p_found jsonb DEFAULT '[]'::jsonb, p_sound text[] DEFAULT '{}'::text[], p_probed boolean DEFAULT NULL::boolean, p_intact bigint[] DEFAULT '{}'::bigint[], p_etags jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  c public.store_check;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_most constant integer := 10000;
  v_set_aside integer;
  v_open bigint;
  v_kinds jsonb;
begin
  select * into strict c from public.store_check x for no key update;
  if c.token is distinct from p_token or c.leased_until is null then
    perform sediment.fail('lease_lost', 409, format('the check of the store is at slice %s, not %s', c.token, p_token));
  end if;
  select * into strict s from public.service_settings;

  insert into public.store_findings as f (object_key, kind, detail, found_at, looked_at)
  select n.object_key, n.kind, left(n.detail, 1000), v_now, v_now
  from jsonb_to_recordset(p_found) as n(object_key text, kind text, detail text)
  where exists (select 1 from public.store_findings x where x.object_key = n.object_key)
    or (select count(*) from public.store_findings) < v_most
  order by n.object_key
  on conflict (object_key) do update
  set kind = excluded.kind, detail = excluded.detail, looked_at = v_now,
    confirmed_at = coalesce(f.confirmed_at,
      case when f.found_at <= v_now - make_interval(secs => s.second_look_seconds) then v_now end);
  -- what was found to be as it should, and what has gone its way since: healed, remade, deleted
  delete from public.store_findings f
  where f.object_key = any (p_sound) or case when f.kind in ('lost', 'changed') then not exists (
      select 1 from public.objects o where o.object_key = f.object_key and o.state = 'stored')
    else exists (select 1 from public.objects o where o.object_key = f.object_key and o.state in ('staged', 'stored')) end;
  update public.objects o set etag = n.value, updated_at = v_now
  from jsonb_each_text(p_etags) n
  where o.object_key = n.key and o.object_key = any (p_sound) and o.state = 'stored' and o.etag is distinct from n.value;
  update public.battle_files f set etag = n.value
  from jsonb_each_text(p_etags) n
  where f.object_key = n.key and f.object_key = any (p_sound) and f.removed_version is null
    and f.etag is distinct from n.value;

  perform sediment.readmit_files(p_sound, p_intact);
  v_set_aside := sediment.miss_files(p_found, p_probed);

  update public.store_check x
  set leased_until = null, tries = 0,
    list_cursor = case when p_list is null then x.list_cursor else p_list ->> 'cursor' end,
    after_key = case when p_list is null then x.after_key when (p_list ->> 'ended')::boolean then '' else p_list ->> 'after' end,
    passes = x.passes + coalesce((p_list ->> 'ended')::boolean, false)::integer,
    pass_started_at = case when (p_list ->> 'ended')::boolean then null else x.pass_started_at end,
    pass_ended_at = case when (p_list ->> 'ended')::boolean then v_now else x.pass_ended_at end,
    read_after = case when p_read is null then x.read_after when (p_read ->> 'ended')::boolean then 0
      else (p_read ->> 'after')::bigint end,
    reads = x.reads + coalesce((p_read ->> 'ended')::boolean, false)::integer,
    -- what was read is paid for in time: so many bytes a day; and a store of few is not read over and over
    read_at = case when p_read is null then x.read_at else v_now + case when (p_read ->> 'ended')::boolean
      then make_interval(secs => s.store_check_interval_seconds) else interval '0' end + make_interval(secs =>
        86400.0 * (p_read ->> 'bytes')::bigint / greatest(s.store_check_bytes_per_day, 1048576)) end
  where x.id;

  select coalesce(sum(k.n), 0), coalesce(jsonb_object_agg(k.kind, k.n), '{}') into strict v_open, v_kinds from (
    select f.kind, count(*) as n from public.store_findings f where f.confirmed_at is not null group by f.kind) k;
  if v_open > 0 then
    perform sediment.open_incident('store_findings', format('Sediment: %s of the store are not as the catalog says: %s',
      v_open, (select string_agg(format('%s %s', e.value, e.key), ', ' order by e.key) from jsonb_each(v_kinds) e)),
      jsonb_build_object('counts', v_kinds));
  elsif exists (select 1 from public.incidents i where i.name = 'store_findings' and i.state = 'open') then
    perform sediment.close_incident('store_findings', 'Sediment: the store is as the catalog says again');
  end if;
  return jsonb_build_object('open', v_open, 'set_aside', v_set_aside);
end $function$;

revoke all on function "public"."commit_store_check"(bigint, jsonb, jsonb, jsonb, text[], boolean, bigint[], jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.quarantine_file(p_run uuid, p_token bigint, p_file bigint, p_code text, p_reason text, p_object_key text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  f public.battle_files;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_many constant integer := 10;
  v_changed boolean := false;
begin
  p := sediment.lock_lease(p_run, p_token);
  select * into f from public.battle_files x
  where x.id = p_file and x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
    and x.removed_version is null;
  if not found then
    perform sediment.fail('inputs_changed', 409, format('file %s is not visible in the partition', p_file));
  end if;
  if f.object_key <> p_object_key then
    perform sediment.fail('inputs_changed', 409, format('file %s is in another object than %s', p_file, p_object_key));
  end if;

  select * into strict s from public.service_settings;
  if f.state = 'active' and p_code in ('object_missing', 'object_changed')
    and (f.lost_since is null or f.lost_since not between v_now - interval '1 day'
      and v_now - make_interval(secs => s.second_look_seconds))
  then
    if f.lost_since is null or f.lost_since < v_now - interval '1 day' then
      if (select count(*) from (select 1 from public.battle_files x where x.removed_version is null
          and x.lost_since > v_now - make_interval(secs => s.breaker_window_seconds) limit v_many) y) = v_many
      then
        perform sediment.fail('store_failed', 503, format('%s, after %s others: %s', p_code, v_many, left(p_reason, 500)));
      end if;
      update public.battle_files x set lost_since = v_now where x.id = f.id returning * into strict f;
      v_changed := true;
    end if;
  elsif f.state = 'active' then
    if p_code in ('object_missing', 'object_changed') then
      perform sediment.set_aside_lost(f.id, p_code, p_reason);
    else
      update public.battle_files x
      set state = 'quarantined', quarantine_code = left(p_code, 100), quarantine_reason = left(p_reason, 2000),
        quarantined_at = v_now
      where x.id = f.id;
    end if;
    select * into strict f from public.battle_files x where x.id = f.id;
    v_changed := true;
  end if;
  -- A file set aside is progress, as a committed output is, and happens once a file: a turn that met nothing but
  -- bad ones is no failed attempt (found by the simulation: three such turns dead-lettered the sound rest).
  update public.processing_metrics r
  set files_quarantined = r.files_quarantined + (v_changed and f.state = 'quarantined')::integer,
    attempts = case when v_changed then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('file_id', p_file, 'state', f.state, 'changed', v_changed, 'look_again_at',
    case when f.state = 'active' then f.lost_since + make_interval(secs => s.second_look_seconds) end);
end $function$;

CREATE OR REPLACE FUNCTION sediment.miss_files(p_found jsonb, p_probed boolean)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
    end if;
  end loop;
  return v_set_aside;
end $function$;

revoke all on function "sediment"."miss_files"(jsonb, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.readmit_files(p_sound text[], p_intact bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v record;
  v_codes constant text[] := array['object_missing', 'object_changed'];
begin
  update public.battle_files f set lost_since = null
  where f.object_key = any (p_sound) and f.lost_since is not null and f.state = 'active' and f.removed_version is null;
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
      remake_at = null, remake_tries = 0
    where x.id = v.id and x.object_key = any (p_sound) and x.removed_version is null and x.state = 'quarantined'
      and x.quarantine_code = any (v_codes);
    continue when not found;
    update public.partitions y set demand_seq = y.demand_seq + 1
    where y.dataset_id = v.dataset_id and y."table" = v."table" and y.period_tag = v.period_tag;
    perform sediment.wake_partition(v.dataset_id, v."table", v.period_tag, 'scheduled', 'sweep', 0);
  end loop;
end $function$;

revoke all on function "sediment"."readmit_files"(text[], bigint[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.set_aside_lost(p_file bigint, p_code text, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;

revoke all on function "sediment"."set_aside_lost"(bigint, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.store_suspects(p_all boolean, p_limit integer)
 RETURNS TABLE(object_key text, kind text)
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select f.object_key, f.kind from public.store_findings f cross join public.service_settings s
  where f.looked_at <= clock_timestamp() - make_interval(secs => s.second_look_seconds)
    and (p_all or f.confirmed_at is null or f.looked_at <= clock_timestamp() - make_interval(secs => case
      when f.kind in ('lost', 'changed') and exists (select 1 from public.battle_files x
        where x.object_key = f.object_key and x.removed_version is null and x.state = 'active')
        then s.breaker_window_seconds
      when f.kind = 'changed' then s.store_check_interval_seconds
      else least(3600, s.store_check_interval_seconds) end))
  order by f.looked_at limit p_limit
$function$;

revoke all on function "sediment"."store_suspects"(boolean, integer) from public, anon, authenticated, service_role;

REVOKE ALL ON FUNCTION "public"."commit_store_check"(bigint, jsonb, jsonb, jsonb, text[], boolean, bigint[], jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."commit_store_check"(bigint, jsonb, jsonb, jsonb, text[], boolean, bigint[], jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."miss_files"(jsonb, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."miss_files"(jsonb, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."readmit_files"(text[], bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."readmit_files"(text[], bigint[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."set_aside_lost"(bigint, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."set_aside_lost"(bigint, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."store_suspects"(boolean, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."store_suspects"(boolean, integer) TO "service_role";

select cron.schedule('sediment_store_check', '7,17,27,37,47,57 * * * *', '
  select sediment.ping_functions(''/compactor/check'')
  where extract(minute from clock_timestamp()) between 15 and 25
    or exists (select 1 from sediment.store_suspects(false, 1))
');
