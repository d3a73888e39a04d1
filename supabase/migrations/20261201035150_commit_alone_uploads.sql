-- Uploads that come alone, as most do, are planned and acknowledged by statements that know of one row.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION sediment.commit_alone(p_call jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
    or exists (select 1 from public.uploads u where u.dataset_id = o.dataset_id and u."table" = o."table"
      and u.period_tag = o.period_tag and u.content_hash = o.content_hash)
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
  -- index of all messages would do.)
  update public.partitions x
  set debt_files = x.debt_files + 1, debt_bytes = x.debt_bytes + f.byte_length,
    debt_oldest = coalesce(x.debt_oldest, v_now), demand_seq = x.demand_seq + 1, last_seq = x.last_seq + 1
  where x.dataset_id = o.dataset_id and x."table" = f."table" and x.period_tag = f.period_tag
    and num_nulls(x.msg_id) = 0 and x.lease_expires_at is null
  returning x.last_seq, case when x.ready_at <= v_now + make_interval(secs => v_delay)
    and x.queue in ('realtime', 'manual') then x.run_id end as run_id into v_part;
  if not found then
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
    if not found then
      return null;
    end if;
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
end $function$;

revoke all on function "sediment"."commit_alone"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.commit_uploads(p_calls jsonb)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_indexonlyscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_locked record;
  v_calls sediment.commit_call[];
  v_call sediment.commit_call;
  v_plan sediment.commit_plan;
  v_wrong jsonb;
  v_new record;
  v_going sediment.commit_call[];
  v_some boolean := false; -- not all of them go on
  v_refused boolean := false;
  v_answers jsonb[];
  v_nth integer := 0;
  v_out jsonb[];
  v_alone jsonb;
begin
  if jsonb_array_length(p_calls) = 1 then
    v_alone := sediment.commit_alone(p_calls -> 0);
    if v_alone is not null then
      return array[v_alone];
    end if;
  end if;
  v_locked := sediment.lock_commit_calls(p_calls);
  v_calls := v_locked.calls;
  if v_locked.aliased then
    v_calls := sediment.respell_commits(v_calls);
  end if;
  v_plan := sediment.plan_commits(v_calls);
  -- Mostly nothing is known, wrong or limited. By owner, then as they came: two groups that wait for owners' quotas must
  -- not wait for each other.
  if v_plan.wrong or v_plan.known is not null or v_plan.limited or v_locked.settled then
    v_some := true;
    if v_plan.wrong then
      -- the ledger held it when it was staged, so that no files came along, and then it was deleted
      perform sediment.refuse_deleted_stages(v_calls);
      v_wrong := sediment.wrong_files(v_calls, v_plan.known);
    end if;
    for v_call in select c.* from unnest(v_calls) as c where c.outcome is null order by c.owner_id, c.n loop
      v_calls[v_call.n].outcome := case
        when v_call.n = any (v_plan.known) then sediment.first_outcome(v_call)
        when v_wrong ? v_call.n::text then
          case when v_call.files = '[]' and exists (
              select 1 from public.objects o join public.datasets d on d.id = o.dataset_id
              where o.object_key = v_call.object_key and d.deletion_version > coalesce(o.staged_version, 0))
            then sediment.failure('stage_expired', 410,
              format('what stage %s was a duplicate of was deleted', v_call.stage))
            else sediment.failure('invalid_request', 400, v_wrong ->> v_call.n::text) end
        -- which of the owners it is, check_stored finds out
        when v_plan.limited then sediment.quota_outcome(v_call, v_calls)
      end;
    end loop;
    v_plan := sediment.plan_commits(v_calls);
  end if;

  -- What is new with them: datasets, made here, partitions and schemas. By owner, then as they came, as above. What is
  -- known already was asked for by the plan: schemas and partitions are never deleted.
  if v_plan.is_new then
    for v_new in
      with x as materialized (
        select distinct f.n, f.user_id, f.dataset_id, f."table", f.period_tag, f.schema_digest
        from unnest(v_plan.files) as f
      )
      select x.n, count(distinct (x."table", x.period_tag)) filter (where p.dataset_id is null)::integer as partitions,
        array_agg(distinct x."table") filter (where p.dataset_id is null) as tables,
        array_agg(distinct x.schema_digest) filter (where k.digest is null) as schemas
      from x
      left join public.datasets d on d.id = any (array[x.dataset_id])
      left join public.partitions p on p.dataset_id = any (array[x.dataset_id]) and p."table" = x."table"
        and p.period_tag = x.period_tag
      left join public.file_schemas k on k.digest = any (array[x.schema_digest])
      where d.id is null or d.user_id <> x.user_id or p.dataset_id is null or k.digest is null
      group by coalesce(d.user_id, x.user_id), x.n
      order by coalesce(d.user_id, x.user_id), x.n
    loop
      v_calls[v_new.n].outcome := sediment.admit_commit(v_calls[v_new.n], v_new.partitions, v_new.tables,
        -- one for each 64 KiB of its text begun
        case when v_new.schemas is null then 0 else (
          select sum(ceil(octet_length(s.schema::text) / 65536.0))::integer
          from (
            select distinct on (f.schema_digest) f.schema from unnest(v_plan.files) as f
            where f.n = v_new.n and f.schema_digest = any (v_new.schemas)
            order by f.schema_digest
          ) s) end);
      v_refused := v_refused or v_calls[v_new.n].outcome is not null;
    end loop;
    if v_refused then
      v_some := true;
      v_plan := sediment.plan_commits(v_calls);
    end if;
  end if;

  if not v_some then
    return sediment.write_commits(v_calls, v_plan, v_locked.direct);
  end if;
  select array_agg(c order by c.n) into v_going from unnest(v_calls) as c where c.outcome is null;
  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_plan, v_locked.direct);
  end if;
  for v_call in select c.* from unnest(v_calls) as c where c.outcome ? 'heal' order by c.n loop
    v_calls[v_call.n].outcome := (
      select sediment.heal_upload(v_call, u) from public.uploads u
      where u.dataset_id = v_call.dataset_id and u."table" = v_call."table" and u.period_tag = v_call.period_tag
        and u.content_hash = v_call.content_hash);
  end loop;
  -- those that were stored are counted where they are
  insert into public.metric_deltas (metric, label, events, amount)
  select 'uploads', x.outcome, count(*), sum(x.size)
  from (
    select c.size, case when c.outcome #>> '{answer,healed}' = 'true' then 'healed' else 'duplicate' end as outcome
    from unnest(v_calls) as c where c.outcome ? 'answer'
  ) x
  group by x.outcome;

  for i in 1 .. cardinality(v_calls) loop
    if v_calls[i].outcome is null then
      v_nth := v_nth + 1;
      v_out[i] := v_answers[v_nth];
    else
      v_out[i] := v_calls[i].outcome;
    end if;
  end loop;
  return v_out;
end $function$;

CREATE OR REPLACE FUNCTION sediment.next_versions(p_changes sediment.dataset_change[], p_made uuid[] DEFAULT NULL::uuid[], OUT versions public.dataset_versions[])
 RETURNS public.dataset_versions[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_one sediment.dataset_change;
  v_version public.dataset_versions;
begin
  -- Mostly it is one: statements that know it take half the time of the one below, which does the same for many.
  if cardinality(p_changes) = 1 then
    v_one := p_changes[1];
    update public.datasets d
    set version = d.version + 1,
      version_committed_at = greatest(clock_timestamp(), d.version_committed_at + interval '1 microsecond'),
      file_count = d.file_count + v_one.files,
      file_size_bytes = d.file_size_bytes + v_one.bytes,
      row_count = d.row_count + v_one.rows,
      uncompressed_bytes = d.uncompressed_bytes + v_one.uncompressed,
      compression_ratio = round((d.uncompressed_bytes + v_one.uncompressed)::numeric
        / nullif(d.file_size_bytes + v_one.bytes, 0), 3),
      file_etag = coalesce(v_one.compacted_etag, d.file_etag),
      last_compacted_at = case when v_one.compacted_etag is null then d.last_compacted_at else clock_timestamp() end,
      updated_at = clock_timestamp(),
      partition_count = d.partition_count + coalesce(cardinality(p_made), 0)
    where d.id = v_one.dataset_id
    returning d.id, d.version, d.version_committed_at, d.file_count, d.row_count, d.file_size_bytes,
      d.uncompressed_bytes
    into strict v_version;
    insert into public.dataset_versions (dataset_id, version, committed_at, file_count, row_count, file_size_bytes,
      uncompressed_bytes)
    values (v_version.dataset_id, v_version.version, v_version.committed_at, v_version.file_count, v_version.row_count,
      v_version.file_size_bytes, v_version.uncompressed_bytes);
    versions := array[v_version];
    return;
  end if;
  -- Not in the update's own statement: of three that meet there, one that got the lock would wait for the next in the
  -- queue, on the way from the version of the row that it saw to the one that it locked. One row needs no order.
  if cardinality(p_changes) > 1 then
    perform 1 from unnest(p_changes) as c join public.datasets d on d.id = any (array[c.dataset_id])
    order by c.dataset_id
    for no key update of d;
  end if;
  with moved as (
    update public.datasets d
    set version = d.version + 1,
      version_committed_at = greatest(clock_timestamp(), d.version_committed_at + interval '1 microsecond'),
      file_count = d.file_count + c.files,
      file_size_bytes = d.file_size_bytes + c.bytes,
      row_count = d.row_count + c.rows,
      uncompressed_bytes = d.uncompressed_bytes + c.uncompressed,
      compression_ratio = round((d.uncompressed_bytes + c.uncompressed)::numeric
        / nullif(d.file_size_bytes + c.bytes, 0), 3),
      file_etag = coalesce(c.compacted_etag, d.file_etag),
      last_compacted_at = case when c.compacted_etag is null then d.last_compacted_at else clock_timestamp() end,
      updated_at = clock_timestamp(),
      partition_count = d.partition_count + coalesce(cardinality(array_positions(p_made, d.id)), 0)
    from unnest(p_changes) as c
    where d.id = any (array[c.dataset_id])
    returning d.id, d.version, d.version_committed_at, d.file_count, d.row_count, d.file_size_bytes,
      d.uncompressed_bytes
  ), kept as (
    insert into public.dataset_versions (dataset_id, version, committed_at, file_count, row_count, file_size_bytes,
      uncompressed_bytes)
    select m.id, m.version, m.version_committed_at, m.file_count, m.row_count, m.file_size_bytes, m.uncompressed_bytes
    from moved m
    returning *
  )
  select array_agg(row(k.dataset_id, k.version, k.committed_at, k.file_count, k.row_count, k.file_size_bytes,
    k.uncompressed_bytes)::public.dataset_versions)
  into strict versions
  from kept k;
end $function$;

CREATE OR REPLACE FUNCTION sediment.spend_fitting(p_user uuid, p_uploads integer, p_bytes bigint, p_now timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_minute constant timestamptz := date_trunc('minute', p_now);
  v_day constant timestamptz := date_trunc('day', p_now, 'UTC');
  v_uploads integer;
  v_day_bytes bigint;
  v_stored bigint;
  v_stages integer;
begin
  select coalesce(l.uploads_per_minute, s.uploads_per_minute), coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day),
    coalesce(l.stored_bytes_max, s.stored_bytes_max), coalesce(l.open_stages_max, s.open_stages_max)
  into strict v_uploads, v_day_bytes, v_stored, v_stages
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if v_stored is not null then
    v_stored := v_stored - p_bytes - (
      select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d where d.user_id = p_user);
  end if;
  update public.user_usage u
  set minute_start = v_minute,
    minute_uploads = case when u.minute_start = v_minute then u.minute_uploads else 0 end + p_uploads,
    minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end,
    day_start = v_day, day_bytes = case when u.day_start = v_day then u.day_bytes else 0 end + p_bytes,
    open_stages = u.open_stages + p_uploads
  where u.user_id = p_user
    and (case when u.minute_start = v_minute then u.minute_uploads else 0 end + p_uploads > v_uploads) is not true
    and (case when u.day_start = v_day then u.day_bytes else 0 end + p_bytes > v_day_bytes) is not true
    and (u.open_stages + p_uploads > v_stages) is not true and (u.asset_bytes > v_stored) is not true;
  return found;
end $function$;

revoke all on function "sediment"."spend_fitting"(uuid, integer, bigint, timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.stage_alone(p_call jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;

revoke all on function "sediment"."stage_alone"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.stage_uploads(p_calls jsonb)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_indexonlyscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_read record;
  v_calls sediment.stage_call[];
  v_call sediment.stage_call;
  v_now timestamptz := clock_timestamp();
  v_detail text;
  v_hint text;
  v_out jsonb[];
  v_direct boolean;
  v_alone jsonb;
begin
  if jsonb_array_length(p_calls) = 1 then
    v_alone := sediment.stage_alone(p_calls -> 0);
    if v_alone is not null then
      return array[v_alone];
    end if;
  end if;
  v_read := sediment.read_stage_calls(p_calls);
  if v_read.respelled then
    v_read := sediment.read_stage_calls(sediment.respell_stages(p_calls));
  end if;
  v_calls := v_read.calls;
  if v_read.admitted then
    -- By what they lock, then as they came: two groups with calls of the same users must not wait for each other.
    for v_call in
      select c.* from unnest(v_calls) as c where c.needs_admission and c.outcome is null
      order by c.user_id, c.dataset_id, c.idempotency_key, c.n
    loop
      begin
        perform sediment.admit_upload(v_call);
      exception when others then
        -- the errors of sediment.fail are this call's own; any other, and a lock not had, is the group's
        if sqlstate not like 'SD%' then
          raise;
        end if;
        get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        v_calls[v_call.n].outcome := sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
      end;
    end loop;
  end if;

  v_calls := sediment.spend_uploads(v_calls);

  with planned as materialized (
    select c.*, t.stage_id, t.suffix, v_now + make_interval(secs => c.ttl_seconds) as expires_at,
      v_now + make_interval(secs => c.ttl_seconds + c.max_put_seconds) as put_deadline,
      format('battle_data/%s/%s/%s/%s%s', c.dataset_id, c."table", c.period_tag, t.stage_id, t.suffix) as object_key,
      case when c.kind like 'direct%' then format('incoming/%s/%s%s', c.user_id, t.stage_id, t.suffix) end
        as incoming_key
    from unnest(v_calls) as c
    cross join lateral (select gen_random_uuid() as stage_id,
      case when c.kind like '%concatenated' then '.bin' else '.parquet' end as suffix) t
  ), fragments as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, "table",
      period_tag, stage_id, content_hash, offsets_digest, details, staged_version)
    select p.object_key, 'fragment', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p."table",
      p.period_tag, p.stage_id, p.content_hash, p.offsets_digest, p.details,
      (select d.version from public.datasets d where d.id = any (array[p.dataset_id]))
    from planned p where p.outcome is null
  )
  select array_agg(coalesce(p.outcome, jsonb_build_object('answer', jsonb_build_object(
    'stage_id', p.stage_id, 'dataset_id', p.dataset_id, 'object_key', p.object_key, 'incoming_key', p.incoming_key,
    'expires_at', p.expires_at, 'duplicate', p.first_answer is not null,
    'answer', p.first_answer || jsonb_build_object('duplicate', true)))) order by p.n),
    bool_or(p.incoming_key is not null)
  into strict v_out, v_direct
  from planned p;
  if v_direct then
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, stage_id)
    select o.answer ->> 'incoming_key', 'incoming', c.size, v_now + make_interval(secs => c.ttl_seconds),
      v_now + make_interval(secs => c.ttl_seconds + c.max_put_seconds), c.user_id, c.dataset_id,
      (o.answer ->> 'stage_id')::uuid
    from unnest(v_calls) as c
    cross join lateral (select v_out[c.n] -> 'answer' as answer) o
    where o.answer ->> 'incoming_key' is not null;
  end if;
  return v_out;
end $function$;

REVOKE ALL ON FUNCTION "sediment"."commit_alone"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."commit_alone"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."spend_fitting"(uuid, integer, bigint, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."spend_fitting"(uuid, integer, bigint, timestamp with time zone) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."stage_alone"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."stage_alone"(jsonb) TO "service_role";
