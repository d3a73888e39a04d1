-- Plans an upload: its object key is in `objects` before any byte is sent. Creates the dataset, owned by
-- p_user, when there is none of that id. The same identity (dataset, table, period_tag, content_hash) with
-- other offsets is upload_conflict; with the same ones duplicate is true and answer is the first upload's, and
-- a stage is planned all the same, since the client may send the bytes again.
--   p_kind: 'fragment' (one table), 'concatenated' (slices, .bin); prefixed 'direct_' when the client PUTs to
--           the store itself: then incoming_key is the key it may write, and object_key where a checked copy goes
--   p_ttl_seconds: life of the upload token; p_max_put_seconds: how long after that bytes can still arrive
--   p_details: kept for get_upload (the table offsets of a direct upload, say)
--   p_idempotency_key: names this upload; the same key with another one is upload_conflict
-- Returns {stage_id, object_key, incoming_key|null, expires_at, duplicate, answer|null}.
-- Raises invalid_name, invalid_request, dataset_forbidden, upload_conflict, rate_limited, quota_exceeded.
create or replace function public.stage_upload(
  p_user uuid, p_dataset uuid, p_table text, p_period_tag text, p_size bigint, p_content_hash text,
  p_offsets_digest text, p_kind text default 'fragment', p_ttl_seconds integer default 120,
  p_max_put_seconds integer default 7200, p_details jsonb default null, p_idempotency_key text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_owner uuid;
  v_first public.uploads;
  v_stage uuid := gen_random_uuid();
  v_now timestamptz := clock_timestamp();
  v_expires timestamptz := v_now + make_interval(secs => p_ttl_seconds);
  v_deadline timestamptz := v_expires + make_interval(secs => p_max_put_seconds);
  v_suffix text := case when p_kind in ('concatenated', 'direct_concatenated') then '.bin' else '.parquet' end;
  v_key text;
  v_incoming text;
begin
  if p_user is null or p_dataset is null then
    perform sediment.fail('invalid_request', 400, 'p_user and p_dataset are needed');
  end if;
  perform sediment.check_name('table', p_table);
  perform sediment.check_name('period_tag', p_period_tag);
  if p_size is null or p_size <= 0 then
    perform sediment.fail('invalid_request', 400, format('the size is %s', p_size), 'a positive integer');
  end if;
  if p_content_hash is null or p_content_hash !~ '^[0-9a-f]{64}$' then
    perform sediment.fail('invalid_request', 400, 'the content hash is not a SHA-256', '64 lower-case hex digits');
  end if;
  if p_kind is null or p_kind not in ('fragment', 'concatenated', 'direct_fragment', 'direct_concatenated') then
    perform sediment.fail('invalid_request', 400, format('p_kind is %s', p_kind));
  end if;
  if p_ttl_seconds is null or p_ttl_seconds <= 0 or p_max_put_seconds is null or p_max_put_seconds < 0 then
    perform sediment.fail('invalid_request', 400, 'the times to live are not positive');
  end if;

  select d.user_id into v_owner from public.datasets d where d.id = p_dataset;
  if not found then
    perform sediment.check_dataset_quota(p_user);
    insert into public.datasets (id, user_id) values (p_dataset, p_user) on conflict (id) do nothing;
    -- a racer may have been first: look again
    select d.user_id into strict v_owner from public.datasets d where d.id = p_dataset;
  end if;
  if v_owner <> p_user then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p_dataset));
  end if;
  perform sediment.spend_upload(p_user, p_size);

  select * into v_first from public.uploads u
  where u.dataset_id = p_dataset and u."table" = p_table and u.period_tag = p_period_tag
    and u.content_hash = p_content_hash;
  if found and v_first.offsets_digest is distinct from coalesce(p_offsets_digest, '') then
    perform sediment.fail('upload_conflict', 422,
      format('this body was acknowledged on %s with other offsets', v_first.created_at),
      'the offsets of the first upload');
  end if;

  perform sediment.keep_idempotency_key(p_user, p_idempotency_key,
    concat_ws('/', p_dataset, p_table, p_period_tag, p_content_hash, p_offsets_digest));

  v_key := format('battle_data/%s/%s/%s/%s%s', p_dataset, p_table, p_period_tag, v_stage, v_suffix);
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, "table",
    period_tag, stage_id, content_hash, offsets_digest, details)
  values (v_key, 'fragment', p_size, v_expires, v_deadline, p_user, p_dataset, p_table,
    p_period_tag, v_stage, p_content_hash, coalesce(p_offsets_digest, ''), p_details);

  if p_kind like 'direct%' then
    v_incoming := format('incoming/%s/%s%s', p_user, v_stage, v_suffix);
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, stage_id)
    values (v_incoming, 'incoming', p_size, v_expires, v_deadline, p_user, p_dataset, v_stage);
  end if;

  return jsonb_build_object('stage_id', v_stage, 'object_key', v_key, 'incoming_key', v_incoming,
    'expires_at', v_expires, 'duplicate', v_first.id is not null,
    'answer', v_first.answer || jsonb_build_object('duplicate', true));
end $$;
