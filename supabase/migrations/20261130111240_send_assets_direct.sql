-- Assets above what passes through a function go to the store by a signed URL; and one that the store has lost is taken again.
-- The check of the store compares assets by their hash, and goes on telling of what stays aside.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "public"."stage_asset"(uuid, text, text, text, bigint, text, integer, integer);

DROP FUNCTION "sediment"."readmit_files"(text[], bigint[]);

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

CREATE OR REPLACE FUNCTION public.call_quietly(p_function text, p_args jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_names text[];
  v_columns text;
  v_answer jsonb;
  v_detail text;
  v_hint text;
begin
  if p_function <> all (array['stage_upload', 'commit_upload', 'abandon_upload', 'get_upload', 'list_files', 'get_file',
    'version_at', 'run_status', 'request_compaction', 'retry_quarantined', 'list_dead_letters', 'redrive_dead_letters',
    'stage_asset', 'commit_asset', 'list_assets', 'get_asset', 'get_asset_upload', 'list_tables', 'delete_data', 'delete_upload',
    'deletion_status', 'invite_member', 'accept_invitation', 'list_members', 'remove_member', 'revoke_invitation',
    'rename_table'])
  then
    perform sediment.fail('invalid_request', 400, format('%s is not called so', left(p_function, 80)));
  end if;
  -- what most requests lead to, by statements that are kept
  if p_function in ('stage_upload', 'commit_upload') then
    begin
      return jsonb_build_object('answer', sediment.answer_of(case p_function
        when 'stage_upload' then sediment.stage_uploads(jsonb_build_array(p_args))
        else sediment.commit_uploads(jsonb_build_array(p_args)) end));
    exception when others then
      if sqlstate not like 'SD%' then
        raise;
      end if;
      get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
      return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
    end;
  end if;
  -- the arguments that were given, with the types that the function has them in
  select array_agg(a.name order by a.n), string_agg(format('%I %s', a.name, a.type), ', ' order by a.n)
  into v_names, v_columns
  from (
    select x.n, x.name, format_type(p.proargtypes[x.n - 1], null) as type
    from pg_catalog.pg_proc p
    cross join lateral unnest(p.proargnames) with ordinality as x(name, n)
    where p.pronamespace = 'public'::regnamespace and p.proname = p_function and x.n <= p.pronargs
      and p_args ? x.name
  ) a;
  begin
    execute format('select public.%I(%s) from jsonb_to_record($1) as a(%s)', p_function,
      (select string_agg(format('%I => a.%I', v.name, v.name), ', ') from unnest(v_names) as v(name)), v_columns)
    into strict v_answer using p_args;
    return jsonb_build_object('answer', v_answer);
  exception when others then
    if sqlstate not like 'SD%' then
      raise;
    end if;
    get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
  end;
end $function$;

CREATE OR REPLACE FUNCTION public.commit_asset(p_stage uuid, p_user uuid, p_size bigint, p_etag text, p_content_hash text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  o public.objects;
  v_old public.assets;
  v_now timestamptz := clock_timestamp();
  v_duplicate boolean;
  v_failure jsonb;
  v_answer jsonb;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'asset' for update;
  v_failure := sediment.stage_failure(o, p_stage, p_user, p_content_hash, p_size);
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  v_answer := jsonb_build_object('key', o.asset_key, 'relative_path', o.details ->> 'relative_path',
    'file_name', o.details ->> 'file_name', 'size', o.size, 'content_hash', o.content_hash, 'etag', p_etag,
    'object_key', o.object_key, 'uploaded_at', v_now, 'replaced', false, 'duplicate', false);
  if o.state <> 'staged' then
    if o.details -> 'answer' is null then
      perform sediment.fail('stage_expired', 410, format('stage %s was given up', p_stage));
    end if;
    return o.details -> 'answer' || jsonb_build_object('duplicate', true);
  end if;

  -- one at a time with the deletion of the user
  perform sediment.lock_quota(p_user);
  perform sediment.refuse_deleted_user(p_user);
  perform sediment.check_stored(p_user, p_size - coalesce(
    (select a.size from public.assets a where a.user_id = p_user and a.key = o.asset_key), 0));
  insert into public.assets (user_id, key, relative_path, file_name, object_key, size, content_hash, etag, updated_at)
  values (p_user, o.asset_key, o.details ->> 'relative_path', o.details ->> 'file_name', o.object_key, p_size,
    p_content_hash, p_etag, v_now)
  on conflict (user_id, key) do nothing;
  if not found then
    select * into strict v_old from public.assets a where a.user_id = p_user and a.key = o.asset_key for update;
    v_duplicate := v_old.content_hash = p_content_hash and not sediment.is_missed(v_old.object_key);
    if v_duplicate then
      perform sediment.discard_object(o.object_key, 'a duplicate asset');
      v_answer := v_answer || jsonb_build_object('object_key', v_old.object_key, 'etag', v_old.etag,
        'uploaded_at', v_old.updated_at, 'duplicate', true);
    else
      update public.assets a
      set relative_path = o.details ->> 'relative_path', file_name = o.details ->> 'file_name',
        object_key = o.object_key, size = p_size, content_hash = p_content_hash, etag = p_etag, updated_at = v_now
      where a.user_id = p_user and a.key = o.asset_key;
      perform sediment.retire_object(v_old.object_key, 'replaced asset', sediment.signed_url_life());
      v_answer := v_answer || case when v_old.content_hash = p_content_hash then '{"healed": true}'::jsonb
        else '{"replaced": true}' end;
    end if;
  end if;
  insert into public.user_usage as u (user_id, minute_start, minute_uploads, day_start, day_bytes, asset_bytes)
  select p_user, v_now, 0, v_now, 0, g.bytes
  from (select case when v_duplicate then 0 else p_size - coalesce(v_old.size, 0) end as bytes) g
  where g.bytes <> 0
  on conflict (user_id) do update set asset_bytes = greatest(0, u.asset_bytes + excluded.asset_bytes);

  perform sediment.discard_object(x.object_key, 'the checked copy is stored') from public.objects x
  where x.stage_id = p_stage and x.kind = 'incoming' and x.state = 'staged';
  update public.objects x
  set state = case when x.state = 'staged' then 'stored' else x.state end, etag = p_etag, expires_at = null,
    updated_at = v_now, details = x.details || jsonb_build_object('answer', v_answer)
  where x.object_key = o.object_key;
  return v_answer;
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
  update public.objects o set etag = n.value, updated_at = v_now
  from jsonb_each_text(p_etags) n
  where o.object_key = n.key and o.object_key = any (p_sound) and o.state = 'stored' and o.etag is distinct from n.value;
  perform sediment.readmit_files(p_sound, p_intact, p_etags);
  -- what was found to be as it should, but for files that stay aside; and what has gone its way since: healed, remade, deleted
  delete from public.store_findings f
  where f.object_key = any (p_sound) and not exists (
      select 1 from public.battle_files x where x.object_key = f.object_key and x.removed_version is null
        and x.state = 'quarantined' and x.quarantine_code in ('object_missing', 'object_changed'))
    or case when f.kind in ('lost', 'changed') then not exists (
      select 1 from public.objects o where o.object_key = f.object_key and o.state = 'stored')
    else exists (select 1 from public.objects o where o.object_key = f.object_key and o.state in ('staged', 'stored')) end;
  update public.store_findings f set looked_at = v_now where f.object_key = any (p_sound);
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

CREATE OR REPLACE FUNCTION public.get_asset(p_user uuid, p_key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  a public.assets;
begin
  perform sediment.refuse_deleted_user(p_user);
  select * into a from public.assets x where x.user_id = p_user and x.key = p_key;
  if not found then
    perform sediment.fail('not_found', 404, 'there is no asset of that key');
  end if;
  return jsonb_build_object('key', a.key, 'relative_path', a.relative_path, 'file_name', a.file_name,
    'size', a.size, 'content_hash', a.content_hash, 'etag', a.etag, 'object_key', a.object_key,
    'uploaded_at', a.updated_at, 'missed', sediment.is_missed(a.object_key),
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s));
end $function$;

CREATE OR REPLACE FUNCTION public.get_asset_upload(p_stage uuid, p_user uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  o public.objects;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'asset';
  if not found then
    perform sediment.fail('stage_expired', 410, format('there is no stage %s', p_stage));
  end if;
  if o.user_id is distinct from p_user then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  if o.state <> 'staged' and o.details -> 'answer' is null then
    perform sediment.fail('stage_expired', 410, format('stage %s was given up', p_stage));
  end if;
  return jsonb_build_object('stage_id', p_stage, 'state', o.state, 'object_key', o.object_key,
    'incoming_key', (select x.object_key from public.objects x where x.stage_id = p_stage and x.kind = 'incoming'),
    'key', o.asset_key, 'size', o.size, 'content_hash', o.content_hash, 'expires_at', o.expires_at,
    'answer', o.details -> 'answer' || jsonb_build_object('duplicate', true));
end $function$;

revoke all on function "public"."get_asset_upload"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.list_assets(p_user uuid, p_prefix text DEFAULT NULL::text, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_after text := sediment.decode_cursor(p_cursor) ->> 'after';
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_assets jsonb;
begin
  perform sediment.refuse_deleted_user(p_user);
  select coalesce(jsonb_agg(jsonb_build_object('key', a.key, 'relative_path', a.relative_path,
    'file_name', a.file_name, 'size', a.size, 'content_hash', a.content_hash, 'etag', a.etag,
    'uploaded_at', a.updated_at) order by a.key), '[]')
  into strict v_assets
  from (
    select * from public.assets x
    where x.user_id = p_user and (v_after is null or x.key > v_after)
      and (p_prefix is null or starts_with(x.key, p_prefix)) and not sediment.is_missed(x.object_key)
    order by x.key limit v_limit + 1
  ) a;
  if jsonb_array_length(v_assets) <= v_limit then
    return jsonb_build_object('assets', v_assets, 'next_cursor', null);
  end if;
  v_assets := v_assets - v_limit;
  return jsonb_build_object('assets', v_assets,
    'next_cursor', sediment.encode_cursor(jsonb_build_object('after', v_assets -> -1 ->> 'key')));
end $function$;

CREATE OR REPLACE FUNCTION public.stage_asset(p_user uuid, p_key text, p_relative_path text, p_file_name text, p_size bigint, p_content_hash text, p_ttl_seconds integer DEFAULT 120, p_max_put_seconds integer DEFAULT 7200, p_direct boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_current public.assets;
  v_stage uuid := gen_random_uuid();
  v_now timestamptz := clock_timestamp();
  v_expires timestamptz := v_now + make_interval(secs => p_ttl_seconds);
  v_suffix text;
  v_key text;
  v_incoming text;
begin
  if p_user is null or p_size is null or p_size < 0 or p_content_hash is null
    or p_content_hash !~ '^[0-9a-f]{64}$' or p_ttl_seconds <= 0 or p_max_put_seconds < 0
  then
    perform sediment.fail('invalid_request', 400, 'user, size or content hash is missing or not well formed');
  end if;
  perform sediment.refuse_deleted_user(p_user);
  perform sediment.refuse_key(p_user);
  perform sediment.check_asset(p_user, p_key, p_relative_path, p_file_name, p_size);

  select * into v_current from public.assets a where a.user_id = p_user and a.key = p_key;
  if v_current.content_hash = p_content_hash and not sediment.is_missed(v_current.object_key) then
    perform sediment.fail('already_stored', 409, format('%s holds these bytes since %s', p_key, v_current.updated_at));
  end if;
  perform sediment.charge_rate_limit(p_user, p_size);

  v_suffix := lower(substring(p_file_name from '\.([A-Za-z0-9]+)$'));
  v_key := format('assets/%s/%s.%s', p_user, v_stage, v_suffix);
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, stage_id, content_hash,
    asset_key, details)
  values (v_key, 'asset', p_size, v_expires, v_expires + make_interval(secs => p_max_put_seconds), p_user, v_stage,
    p_content_hash, p_key, jsonb_build_object('relative_path', p_relative_path, 'file_name', p_file_name));
  if p_direct then
    v_incoming := format('incoming/%s/%s.%s', p_user, v_stage, v_suffix);
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, stage_id)
    values (v_incoming, 'incoming', p_size, v_expires, v_expires + make_interval(secs => p_max_put_seconds), p_user, v_stage);
  end if;
  return jsonb_build_object('stage_id', v_stage, 'object_key', v_key, 'incoming_key', v_incoming, 'expires_at', v_expires,
    'replaces', v_current.key is not null);
end $function$;

revoke all on function "public"."stage_asset"(uuid, text, text, text, bigint, text, integer, integer, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.is_missed(p_object_key text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select exists (select 1 from public.store_findings f
    where f.object_key = p_object_key and f.kind in ('lost', 'changed') and f.confirmed_at is not null)
$function$;

revoke all on function "sediment"."is_missed"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.readmit_files(p_sound text[], p_intact bigint[], p_etags jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
      remake_at = null, remake_tries = 0
    where x.id = v.id and x.object_key = any (p_sound) and x.removed_version is null and x.state = 'quarantined'
      and x.quarantine_code = any (v_codes);
    continue when not found;
    update public.partitions y set demand_seq = y.demand_seq + 1
    where y.dataset_id = v.dataset_id and y."table" = v."table" and y.period_tag = v.period_tag;
    perform sediment.wake_partition(v.dataset_id, v."table", v.period_tag, 'scheduled', 'sweep', 0);
  end loop;
end $function$;

revoke all on function "sediment"."readmit_files"(text[], bigint[], jsonb) from public, anon, authenticated, service_role;

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
  order by f.kind not in ('lost', 'changed'), f.looked_at limit p_limit
$function$;

REVOKE ALL ON FUNCTION "public"."get_asset_upload"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."get_asset_upload"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."stage_asset"(uuid, text, text, text, bigint, text, integer, integer, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."stage_asset"(uuid, text, text, text, bigint, text, integer, integer, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."is_missed"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."is_missed"(text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."readmit_files"(text[], bigint[], jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."readmit_files"(text[], bigint[], jsonb) TO "service_role";
