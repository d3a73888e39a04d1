-- commit_upload as it mostly is: one call, of one data file, of a body that is new and was not sent directly, to a partition
-- that is there, of a schema that is known, far below what may be stored. By statements that know of one row, as
-- sediment.stage_alone, in the order of locks of sediment.commit_uploads, which says what they are for.
-- Returns {answer}; null for every other call, with nothing written and no lock held that commit_uploads would not take
-- first, whose it is then.
create or replace function sediment.commit_alone(p_call jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz;
  c record;
  o record;
  f record;
  v_delay integer;
  v_max bigint;
  v_digest text;
  v_fingerprint text;
  v_part record;
  v_version bigint;
  v_look boolean;
  v_file sediment.commit_file;
  v_call sediment.commit_call;
  v_stem text;
begin
  select a.* into c
  from jsonb_to_record(p_call) as a(p_stage uuid, p_user uuid, p_size bigint, p_etag text, p_content_hash text,
    p_files jsonb, p_object_size bigint);
  c.p_object_size := coalesce(c.p_object_size, c.p_size);
  if (jsonb_typeof(c.p_files) = 'array') is not true or jsonb_array_length(c.p_files) <> 1 then
    return null;
  end if;
  -- by its key alone: indexes of what is staged would do for more, and plans are kept that were made while there was nothing
  select x.object_key, x.dataset_id, x."table", x.period_tag, x.content_hash, x.offsets_digest, x.user_id, x.state, x.size
  into o
  from public.objects x
  where x.stage_id = c.p_stage and x.stage_id is not null and x.kind = 'fragment'
  for update;
  if (o.state = 'staged' and o.user_id = c.p_user and o.content_hash = c.p_content_hash and o.size = c.p_size) is not true
    or exists (select 1 from public.objects i
      where i.stage_id = c.p_stage and i.stage_id is not null and i.kind = 'incoming')
  then
    return null;
  end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(
    concat_ws('/', 'sediment upload', o.dataset_id, o."table", o.period_tag, o.content_hash), 0));
  v_now := clock_timestamp();
  -- before the files are looked at: those of a duplicate are nobody's business
  if exists (select 1 from public.uploads u where u.dataset_id = o.dataset_id and u."table" = o."table"
    and u.period_tag = o.period_tag and u.content_hash = o.content_hash)
  then
    return null;
  end if;

  select a.* into f
  from jsonb_to_record(c.p_files -> 0) as a(ordinal integer, "table" text, period_tag text, start_byte bigint,
    byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint, value_count bigint,
    merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb, checksum text);
  -- what sediment.plan_commits asks of each
  if (f.ordinal = 0 and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
    and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.p_object_size - f.start_byte
    and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
    and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
    and f.schema_fingerprint is not null and f.schema is not null) is not true
  then
    return null;
  end if;
  v_digest := sediment.schema_digest(f.schema);
  select k.fingerprint, s.realtime_delay_seconds, coalesce(m.stored_bytes_max, s.stored_bytes_max)
  into v_fingerprint, v_delay, v_max
  from public.file_schemas k
  join public.service_settings s on s.id
  left join public.user_limits m on m.user_id = c.p_user
  where k.digest = v_digest;
  if not found or v_max is not null and sediment.is_near_quota(c.p_user, c.p_object_size, v_max)
    or not exists (select 1 from public.datasets d
      where d.id = o.dataset_id and d.user_id = c.p_user and not d.has_aliases)
  then
    return null;
  end if;

  -- What joins a message that waits is not counted; else it is as in sediment.write_commits. (num_nulls: by "is not null" an
  -- index of all messages would do.) Twice: one that got or lost its message while it was waited for is the other statement's,
  -- and its lock is held by then, which commit_uploads may not have before a quota's.
  for v_try in 1 .. 2 loop
    update public.partitions x
    set debt_files = x.debt_files + 1, debt_bytes = x.debt_bytes + f.byte_length,
      debt_oldest = coalesce(x.debt_oldest, v_now), demand_seq = x.demand_seq + 1, last_seq = x.last_seq + 1
    where x.dataset_id = o.dataset_id and x."table" = f."table" and x.period_tag = f.period_tag
      and num_nulls(x.msg_id) = 0 and x.lease_expires_at is null
    returning x.last_seq, case when x.ready_at <= v_now + make_interval(secs => v_delay)
      and x.queue in ('realtime', 'manual') then x.run_id end as run_id into v_part;
    exit when found;
    v_file := row(1, o.dataset_id, c.p_stage, c.p_user, o.object_key, c.p_etag, f.ordinal, f."table", f.period_tag,
      f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count, f.merge_facts,
      f.schema_fingerprint, f.schema, f.stats, f.checksum, v_digest);
    update public.partitions x
    set debt_files = x.debt_files + 1, debt_bytes = x.debt_bytes + f.byte_length,
      debt_oldest = case when x.msg_id is not null then coalesce(x.debt_oldest, v_now) else x.debt_oldest end,
      demand_seq = x.demand_seq + 1, last_seq = x.last_seq + 1,
      (tier_files, tier_oldest, due_at, tier_groups) = (
        select w.tier_files, w.tier_oldest, w.due_at, w.tier_groups
        from sediment.count_waiting(x, array[v_file], v_now) as w),
      next_run_id = coalesce(x.next_run_id, gen_random_uuid())
    where x.dataset_id = o.dataset_id and x."table" = f."table" and x.period_tag = f.period_tag
      and (x.msg_id is null or x.lease_expires_at is not null)
    returning x.last_seq, case when x.lease_expires_at is not null or x.due_at is null or x.due_at > v_now
      then x.next_run_id end as run_id into v_part;
    exit when found or not exists (select 1 from public.partitions x
      where x.dataset_id = o.dataset_id and x."table" = f."table" and x.period_tag = f.period_tag);
  end loop;
  if v_part.last_seq is null then
    return null;
  end if;

  v_version := (sediment.next_versions(array[row(o.dataset_id, 1, f.byte_length, f.row_count, f.uncompressed_bytes,
    null)::sediment.dataset_change]))[1].version;
  -- The dataset's row is locked: what was deleted, handed over or renamed since the stage is seen here.
  update public.objects x
  set state = 'stored', size = c.p_object_size, etag = nullif(c.p_etag, ''), expires_at = null, updated_at = v_now
  from public.datasets d
  where x.object_key = o.object_key and x.state = 'staged' and d.id = o.dataset_id
  returning d.deletion_version > coalesce(x.staged_version, 0) or d.user_id <> c.p_user or d.has_aliases into v_look;
  if v_look is not false
    or exists (select 1 from public.deletions z where z.user_id = c.p_user and z.kind = 'user')
  then
    v_call := row(1, c.p_stage, c.p_user, c.p_size, c.p_object_size, c.p_etag, c.p_files, o.dataset_id, o."table",
      o.period_tag, o.content_hash, o.offsets_digest, o.object_key, false, false, null, c.p_user);
    v_file.dataset_id := o.dataset_id;
    v_file."table" := f."table";
    perform sediment.refuse_deleted_stages(array[v_call]);
    perform sediment.refuse_removed_writers(array[v_call]);
    perform sediment.refuse_renamed_stages(array[v_call], array[v_file]);
  end if;
  if v_part.run_id is null then
    v_part.run_id := sediment.wake_partition(o.dataset_id, f."table", f.period_tag, 'realtime', 'upload', v_delay);
  end if;

  insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
    byte_length, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, value_count, merge_facts,
    schema_fingerprint, stats, added_version, uploaded_by, uploaded_at, checksum, schema_digest)
  values (o.dataset_id, f."table", f.period_tag, c.p_stage, 0, o.object_key, f.start_byte, f.byte_length, 0,
    v_part.last_seq, v_part.last_seq, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count, f.merge_facts,
    nullif(f.schema_fingerprint, v_fingerprint), f.stats, v_version, c.p_user, v_now, f.checksum, v_digest);
  v_stem := concat('battle_data/', o.dataset_id, '/', o."table", '/', o.period_tag, '/', c.p_stage);
  insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id, object_key,
    size, created_at, version, metric_id, slices)
  values (c.p_stage, o.dataset_id, o."table", o.period_tag, o.content_hash, o.offsets_digest, c.p_user,
    case when starts_with(o.object_key, v_stem) then substr(o.object_key, length(v_stem) + 1) else o.object_key end,
    c.p_size, v_now, v_version, v_part.run_id,
    concat_ws(' ', case when f.period_tag = o.period_tag then f."table" else f."table" || '/' || f.period_tag end,
      f.row_count, v_part.last_seq));
  insert into public.metric_deltas (metric, label, events, amount) values ('uploads', 'stored', 1, c.p_size);
  return jsonb_build_object('answer', jsonb_build_object('key', o.object_key, 'size', c.p_size, 'uploaded_at', v_now,
    'metricId', v_part.run_id, 'duplicate', false, 'dataset_id', o.dataset_id, 'version', v_version, 'files',
    '[]'::jsonb, 'runs', jsonb_build_array(jsonb_build_object('table', f."table", 'period_tag', f.period_tag,
      'metricId', v_part.run_id))));
end $$;
