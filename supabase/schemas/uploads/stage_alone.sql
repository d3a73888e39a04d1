-- stage_upload as it mostly is: one call, of the owner's, of a body that is new, to a dataset that is there, within all limits.
-- Whatever a statement could do is set up each time, whether it is done or not: statements that know of one call take little more
-- than half the time of those of sediment.stage_uploads, which are for many.
-- Returns {answer}; null for every other call, with nothing written, which is stage_uploads' then.
create or replace function sediment.stage_alone(p_call jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_stage uuid;
  v_key text;
  v_version bigint;
  c record;
begin
  select a.* into c
  from jsonb_to_record(p_call) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text, p_size bigint,
    p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer, p_max_put_seconds integer,
    p_details jsonb, p_idempotency_key text);
  -- no pattern for the hash: one of 64 digits costs more than the row
  if (c.p_idempotency_key is null and c.p_size > 0 and c.p_table ~ '^[A-Za-z0-9_-]{1,64}$'
    and c.p_period_tag ~ '^[A-Za-z0-9_-]{1,64}$' and octet_length(c.p_content_hash) = 64
    and ltrim(c.p_content_hash, '0123456789abcdef') = '' and c.p_kind in ('fragment', 'concatenated')
    and c.p_ttl_seconds > 0 and coalesce(c.p_max_put_seconds, 0) >= 0) is not true
  then
    return null;
  end if;
  select d.version into v_version from public.datasets d
  where d.id = c.p_dataset and d.user_id = c.p_user and d.deleted_at is null and not d.has_aliases;
  if not found
    or exists (select 1 from public.uploads u where u.dataset_id = c.p_dataset and u."table" = c.p_table
      and u.period_tag = c.p_period_tag and u.content_hash = c.p_content_hash)
    or exists (select 1 from public.deletions z where z.user_id = c.p_user and z.kind = 'user')
    or not sediment.spend_fitting(c.p_user, 1, c.p_size, v_now)
  then
    return null;
  end if;
  v_stage := gen_random_uuid();
  v_key := concat('battle_data/', c.p_dataset, '/', c.p_table, '/', c.p_period_tag, '/', v_stage,
    case c.p_kind when 'fragment' then '.parquet' else '.bin' end);
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, "table",
    period_tag, stage_id, content_hash, offsets_digest, details, staged_version)
  values (v_key, 'fragment', c.p_size, v_now + make_interval(secs => c.p_ttl_seconds),
    v_now + make_interval(secs => c.p_ttl_seconds + coalesce(c.p_max_put_seconds, 7200)), c.p_user, c.p_dataset,
    c.p_table, c.p_period_tag, v_stage, c.p_content_hash, coalesce(c.p_offsets_digest, ''), c.p_details, v_version);
  return jsonb_build_object('answer', jsonb_build_object('stage_id', v_stage, 'dataset_id', c.p_dataset,
    'object_key', v_key, 'incoming_key', null, 'expires_at', v_now + make_interval(secs => c.p_ttl_seconds),
    'duplicate', false, 'answer', null));
end $$;
