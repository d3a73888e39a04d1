-- Plans the object of an asset: a new one each time, so that replacing is atomic for readers.
--   p_direct: the client PUTs to the store itself: then incoming_key is the key that it may write, and object_key where a
--             checked copy goes
-- Returns {stage_id, object_key, incoming_key|null, expires_at, replaces: boolean}. Raises already_stored (the key holds
-- these very bytes, and the store has not lost them), invalid_name, body_too_large, invalid_request, rate_limited,
-- quota_exceeded, key_read_only.
create or replace function public.stage_asset(
  p_user uuid, p_key text, p_relative_path text, p_file_name text, p_size bigint, p_content_hash text,
  p_ttl_seconds integer default 120, p_max_put_seconds integer default 7200, p_direct boolean default false
)
returns jsonb
language plpgsql
set search_path = ''
as $$
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
end $$;
