-- Acknowledges an upload: ledger, data files, object staged → stored, version, debt and demand of the
-- partitions, run rows and queue messages, in one transaction. Called again with the same bytes it gives the
-- first answer with duplicate: true; so it does to whoever lost the race for the same identity.
--   p_files: [{ordinal, table, period_tag, start_byte, byte_length, row_count, row_group_count,
--              uncompressed_bytes, schema_fingerprint, schema, stats}]
--   p_object_size: length of the object where it is not the body itself (Avro is stored as Parquet)
-- Returns {key, size, uploaded_at, metricId, duplicate, dataset_id, version, files: [{id, table, period_tag,
-- ordinal, row_count}], runs: [{table, period_tag, metricId}]}.
-- Raises stage_expired, forbidden, hash_mismatch, size_mismatch, upload_conflict, quota_exceeded, invalid_request.
create or replace function public.commit_upload(
  p_stage uuid, p_user uuid, p_size bigint, p_etag text, p_content_hash text, p_files jsonb,
  p_object_size bigint default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  o public.objects;
  v_first public.uploads;
  v_now timestamptz := clock_timestamp();
  v_delay integer;
  v_totals record;
  v_version public.dataset_versions;
  v_key record;
  v_run uuid;
  v_main uuid;
  v_runs jsonb := '[]';
  v_files jsonb;
  v_answer jsonb;
begin
  o := sediment.lock_stage(p_stage, 'fragment', p_user, p_content_hash, p_size);

  -- Whoever inserts the identity first acknowledges it; a racer waits here and then reads what was answered.
  if o.state = 'staged' then
    insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id,
      object_key, size)
    values (p_stage, o.dataset_id, o."table", o.period_tag, o.content_hash, o.offsets_digest, p_user,
      o.object_key, p_size)
    on conflict (dataset_id, "table", period_tag, content_hash) do nothing;
  end if;
  if o.state <> 'staged' or not found then
    select * into v_first from public.uploads u
    where u.dataset_id = o.dataset_id and u."table" = o."table" and u.period_tag = o.period_tag
      and u.content_hash = o.content_hash;
    if not found then
      perform sediment.fail('stage_expired', 410, format('stage %s was given up', p_stage));
    end if;
    if v_first.offsets_digest <> o.offsets_digest then
      perform sediment.fail('upload_conflict', 422,
        format('this body was acknowledged on %s with other offsets', v_first.created_at),
        'the offsets of the first upload');
    end if;
    perform sediment.discard_object(x.object_key, 'a duplicate upload')
    from public.objects x where x.stage_id = p_stage and x.state = 'staged';
    return v_first.answer || jsonb_build_object('duplicate', true);
  end if;

  perform sediment.check_stored(p_user, coalesce(p_object_size, p_size), true);
  perform sediment.check_files(p_files, coalesce(p_object_size, p_size));
  perform sediment.keep_schemas(p_files);

  -- Partitions, sorted by key: made when absent, then locked in a statement of their own.
  insert into public.partitions (dataset_id, "table", period_tag)
  select distinct o.dataset_id, f."table", f.period_tag
  from jsonb_to_recordset(p_files) as f("table" text, period_tag text)
  where not exists (select 1 from public.partitions x
    where x.dataset_id = o.dataset_id and x."table" = f."table" and x.period_tag = f.period_tag)
  order by 2, 3
  on conflict (dataset_id, "table", period_tag) do nothing;

  perform 1 from public.partitions x
  where x.dataset_id = o.dataset_id and (x."table", x.period_tag) in (
    select f."table", f.period_tag from jsonb_to_recordset(p_files) as f("table" text, period_tag text))
  order by x."table", x.period_tag
  for no key update;

  select count(*) as files, sum(f.byte_length) as bytes, sum(f.row_count) as rows,
    sum(f.uncompressed_bytes) as uncompressed
  into strict v_totals
  from jsonb_to_recordset(p_files) as f(byte_length bigint, row_count bigint, uncompressed_bytes bigint);
  v_version := sediment.next_version(o.dataset_id, v_totals.files, v_totals.bytes::bigint,
    v_totals.rows::bigint, v_totals.uncompressed::bigint);

  update public.objects x
  set state = 'stored', size = coalesce(p_object_size, p_size), etag = p_etag, expires_at = null,
    updated_at = v_now
  where x.object_key = o.object_key and x.state = 'staged';
  perform sediment.discard_object(x.object_key, 'the checked copy is stored')
  from public.objects x where x.stage_id = p_stage and x.kind = 'incoming';

  with inserted as (
    insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      schema_fingerprint, stats, added_version, uploaded_by, uploaded_at)
    select o.dataset_id, f."table", f.period_tag, p_stage, f.ordinal, o.object_key, f.start_byte,
      f.byte_length, p_etag, 0, f.seq, f.seq, f.row_count, f.row_group_count, f.uncompressed_bytes,
      f.schema_fingerprint, f.stats, v_version.version, p_user, v_now
    from (
      select s.*, x.last_seq + row_number() over (partition by s."table", s.period_tag order by s.ordinal) as seq
      from jsonb_to_recordset(p_files) as s(ordinal integer, "table" text, period_tag text, start_byte bigint,
        byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
        schema_fingerprint text, stats jsonb)
      join public.partitions x
        on x.dataset_id = o.dataset_id and x."table" = s."table" and x.period_tag = s.period_tag
    ) f
    order by f.ordinal
    returning id, "table", period_tag, ordinal, row_count
  )
  select jsonb_agg(to_jsonb(i) order by i.ordinal) into strict v_files from inserted i;

  update public.partitions x
  set debt_files = x.debt_files + f.files, debt_bytes = x.debt_bytes + f.bytes,
    debt_oldest = coalesce(x.debt_oldest, v_now), demand_seq = x.demand_seq + 1, last_seq = x.last_seq + f.files
  from (
    select s."table", s.period_tag, count(*) as files, sum(s.byte_length)::bigint as bytes
    from jsonb_to_recordset(p_files) as s("table" text, period_tag text, byte_length bigint)
    group by s."table", s.period_tag
  ) f
  where x.dataset_id = o.dataset_id and x."table" = f."table" and x.period_tag = f.period_tag;

  select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
  for v_key in
    select distinct f."table", f.period_tag
    from jsonb_to_recordset(p_files) as f("table" text, period_tag text) order by 1, 2
  loop
    v_run := sediment.wake_partition(o.dataset_id, v_key."table", v_key.period_tag, 'realtime', 'upload', v_delay);
    v_runs := v_runs || jsonb_build_object('table', v_key."table", 'period_tag', v_key.period_tag, 'metricId', v_run);
    if v_main is null or (v_key."table" = o."table" and v_key.period_tag = o.period_tag) then
      v_main := v_run;
    end if;
  end loop;

  v_answer := jsonb_build_object('key', o.object_key, 'size', p_size, 'uploaded_at', v_now, 'metricId', v_main,
    'duplicate', false, 'dataset_id', o.dataset_id, 'version', v_version.version, 'files', v_files,
    'runs', v_runs);
  update public.uploads u set answer = v_answer where u.id = p_stage;
  return v_answer;
end $$;
