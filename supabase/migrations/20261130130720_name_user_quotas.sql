-- Names by the field's words what counts against the quotas of users, and what counts the files that wait in a partition.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "sediment"."user_rooms"(uuid[], timestamp with time zone);

DROP FUNCTION "sediment"."wait_for_company"(public.partitions, sediment.commit_file[], timestamp with time zone);

DROP TYPE "sediment"."user_room";

CREATE TYPE "sediment"."user_quota" AS ("user_id" uuid, "uploads_per_minute" integer, "minute_uploads" integer, "upload_bytes_per_day" bigint, "day_bytes" bigint, "stored_bytes_max" bigint, "stored_bytes" bigint, "open_stages_max" integer, "open_stages" integer);

CREATE OR REPLACE FUNCTION sediment.count_waiting(x public.partitions, p_files sediment.commit_file[], p_now timestamp with time zone, OUT tier_files integer[], OUT tier_oldest timestamp with time zone[], OUT due_at timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  s record;
  f sediment.commit_file;
  v_grown bigint;
  v_edge bigint;
  v_tier integer;
  v_rewritten boolean := false;
begin
  tier_files := x.tier_files;
  tier_oldest := x.tier_oldest;
  due_at := x.due_at;
  if x.msg_id is not null and x.lease_expires_at is null then
    return;
  end if;

  select coalesce(t.min_inputs, d.min_inputs, y.min_inputs) as min_inputs,
    coalesce(t.max_age_seconds, d.max_age_seconds, y.max_age_seconds) as max_age_seconds,
    coalesce(t.target_file_bytes, d.target_file_bytes, y.target_file_bytes) as target_file_bytes,
    coalesce(t.healthy_row_group_bytes, d.healthy_row_group_bytes, y.healthy_row_group_bytes) as healthy_row_group_bytes,
    y.max_object_bytes, y.plan_changed_at, y.planner_version
  into strict s
  from public.service_settings y
  left join public.table_settings t on t.dataset_id = x.dataset_id and t."table" = x."table"
  left join public.table_settings d on d.dataset_id = x.dataset_id and d."table" = '*'
  where y.id;
  v_grown := ceil(0.75 * least(s.target_file_bytes, x.output_cap_bytes));
  foreach f in array p_files loop
    -- Full grown it is a barrier at most, unless its row groups are to be made larger; that may be below the target already,
    -- where the store takes no object of that size.
    v_rewritten := v_rewritten or f.row_group_count > 1
      and f.uncompressed_bytes < s.healthy_row_group_bytes * f.row_group_count
      and f.byte_length >= least(v_grown, s.max_object_bytes / 4, 4194304);
    continue when f.byte_length >= v_grown;
    v_tier := 1;
    v_edge := 32768;
    while f.byte_length >= v_edge loop
      v_tier := v_tier + 1;
      v_edge := v_edge * least(greatest(s.min_inputs, 2), 8);
    end loop;
    if tier_files is not null then
      tier_files[v_tier] := coalesce(tier_files[v_tier], 0) + 1;
    end if;
    tier_oldest[v_tier] := coalesce(tier_oldest[v_tier], p_now);
  end loop;
  if v_rewritten then
    tier_files := null;
  end if;

  if x.msg_id is not null then
    return;
  elsif x.dead_since is not null or (x.last_considered_at < s.plan_changed_at
    and x.plan_digest is distinct from sediment.plan_digest(x.dataset_id, x."table", s.planner_version))
  then
    due_at := p_now;
  else
    due_at := least(x.due_at, sediment.next_look(tier_files, tier_oldest, s.min_inputs, s.max_age_seconds, p_now));
  end if;
end $function$;

revoke all on function "sediment"."count_waiting"(public.partitions, sediment.commit_file[], timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lock_user_quotas(p_users uuid[], p_now timestamp with time zone)
 RETURNS sediment.user_quota[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_minute constant timestamptz := date_trunc('minute', p_now);
  v_day constant timestamptz := date_trunc('day', p_now, 'UTC');
begin
  insert into public.user_usage (user_id, minute_start, minute_uploads, day_start, day_bytes)
  select w.id, v_minute, 0, v_day, 0 from unnest(p_users) as w(id)
  where not exists (select 1 from public.user_usage u where u.user_id = any (array[w.id]))
  order by w.id
  on conflict (user_id) do nothing;
  perform 1 from public.user_usage u where u.user_id = any (p_users) order by u.user_id for no key update;
  -- a statement after the locks: it sees what those that were waited for have spent
  return (
    select array_agg(row(u.user_id,
      coalesce(l.uploads_per_minute, s.uploads_per_minute),
      case when u.minute_start = v_minute then u.minute_uploads else 0 end,
      coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day),
      case when u.day_start = v_day then u.day_bytes else 0 end,
      coalesce(l.stored_bytes_max, s.stored_bytes_max),
      u.asset_bytes + (
        select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
        where d.user_id = any (array[u.user_id])),
      coalesce(l.open_stages_max, s.open_stages_max), u.open_stages
      )::sediment.user_quota order by u.user_id)
    from public.user_usage u
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[u.user_id])
    where u.user_id = any (p_users));
end $function$;

revoke all on function "sediment"."lock_user_quotas"(uuid[], timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.spend_uploads(p_calls sediment.stage_call[])
 RETURNS sediment.stage_call[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_minute constant timestamptz := date_trunc('minute', v_now);
  v_day constant timestamptz := date_trunc('day', v_now, 'UTC');
  v_done uuid[];
  v_wanted bigint;
  v_quotas sediment.user_quota[];
  v_calls sediment.stage_call[] := p_calls;
  v_call sediment.stage_call;
  r sediment.user_quota;
  v_at integer := 0;
  v_planner integer;
begin
  -- Mostly all of a user's calls fit, and one statement counts them. More than one row is locked before, in order.
  if cardinality(p_calls) > 1 then
    perform 1 from public.user_usage u
    where u.user_id = any (array(select c.user_id from unnest(p_calls) as c where c.outcome is null
      union select c.owner_id from unnest(p_calls) as c where c.outcome is null))
    order by u.user_id for no key update;
  end if;
  with wanted as materialized (
    select c.owner_id as id, count(*)::integer as uploads, sum(c.size)::bigint as bytes,
      bool_and(c.user_id = c.owner_id) as of_owner
    from unnest(p_calls) as c
    where c.outcome is null
    group by c.owner_id
  ), spent as (
    update public.user_usage u
    set minute_start = v_minute,
      minute_uploads = case when u.minute_start = v_minute then u.minute_uploads else 0 end + w.uploads,
      minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end,
      day_start = v_day, day_bytes = case when u.day_start = v_day then u.day_bytes else 0 end + w.bytes,
      open_stages = u.open_stages + w.uploads
    from wanted w
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[w.id])
    where u.user_id = any (array[w.id]) and w.of_owner
      and (case when u.minute_start = v_minute then u.minute_uploads else 0 end + w.uploads
        > coalesce(l.uploads_per_minute, s.uploads_per_minute)) is not true
      and (case when u.day_start = v_day then u.day_bytes else 0 end + w.bytes
        > coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day)) is not true
      and (u.open_stages + w.uploads > coalesce(l.open_stages_max, s.open_stages_max)) is not true
      and (coalesce(l.stored_bytes_max, s.stored_bytes_max) is null or u.asset_bytes + w.bytes + (
          select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
          where d.user_id = any (array[w.id])) <= coalesce(l.stored_bytes_max, s.stored_bytes_max))
    returning u.user_id
  )
  select coalesce(array_agg(s.user_id), '{}'), (select count(*) from wanted) into strict v_done, v_wanted from spent s;
  if cardinality(v_done) = v_wanted then
    return p_calls;
  end if;

  v_quotas := sediment.lock_user_quotas(
    array(select c.user_id from unnest(p_calls) as c where c.outcome is null and c.owner_id <> all (v_done)
      union select c.owner_id from unnest(p_calls) as c where c.outcome is null and c.owner_id <> all (v_done)), v_now);
  for v_call in
    select c.* from unnest(p_calls) as c where c.outcome is null and c.owner_id <> all (v_done) order by c.owner_id, c.n
  loop
    while v_at = 0 or v_quotas[v_at].user_id <> v_call.owner_id loop
      v_at := v_at + 1;
    end loop;
    v_planner := v_at;
    if v_call.user_id <> v_call.owner_id then
      v_planner := 1;
      while v_quotas[v_planner].user_id <> v_call.user_id loop
        v_planner := v_planner + 1;
      end loop;
    end if;
    r := v_quotas[v_planner];
    -- counted when what was planned since the last time comes to the limit, not for each
    if r.open_stages >= r.open_stages_max then
      r.open_stages := (
        select count(*) from (
          select 1 from public.objects o
          where o.user_id = any (array[r.user_id]) and o.state = 'staged' and o.user_id is not null
          limit r.open_stages_max) x);
      v_quotas[v_planner] := r;
    end if;
    r := v_quotas[v_at];
    v_call.outcome := case
      when r.minute_uploads >= r.uploads_per_minute then
        sediment.failure('rate_limited', 429,
          format('uploads_per_minute: over %s uploads a minute', r.uploads_per_minute),
          format('retry after %s s', ceil(extract(epoch from v_minute + interval '1 minute' - v_now))))
      when r.day_bytes + v_call.size > r.upload_bytes_per_day then
        sediment.failure('quota_exceeded', 429,
          format('upload_bytes_per_day: over %s uploaded bytes a day', r.upload_bytes_per_day),
          format('retry after %s s', ceil(extract(epoch from v_day + interval '1 day' - v_now))))
      when r.stored_bytes + v_call.size > r.stored_bytes_max then
        sediment.failure('quota_exceeded', 429,
          format('stored_bytes_max: %s more bytes would pass the %s that may be stored', v_call.size,
            r.stored_bytes_max), format('at most %s stored bytes', r.stored_bytes_max))
      when v_quotas[v_planner].open_stages >= v_quotas[v_planner].open_stages_max then
        sediment.failure('quota_exceeded', 429,
          format('open_stages_max: %s planned uploads were not ended', v_quotas[v_planner].open_stages),
          'uploads that are ended, or time for them to expire')
    end;
    if v_call.outcome is not null then
      v_calls[v_call.n].outcome := v_call.outcome;
      continue;
    end if;
    r.minute_uploads := r.minute_uploads + 1;
    r.day_bytes := r.day_bytes + v_call.size;
    v_quotas[v_at] := r;
    v_quotas[v_planner].open_stages := v_quotas[v_planner].open_stages + 1;
  end loop;

  update public.user_usage u
  set minute_start = v_minute, minute_uploads = x.minute_uploads,
    minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end,
    day_start = v_day, day_bytes = x.day_bytes, open_stages = x.open_stages
  from unnest(v_quotas) as x
  where u.user_id = any (array[x.user_id]);
  return v_calls;
end $function$;

CREATE OR REPLACE FUNCTION sediment.write_commits(p_calls sediment.commit_call[], p_plan sediment.commit_plan, p_direct boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_parts sediment.partition_change[];
  v_seqs bigint[]; -- of each file, in the order of v_files
  v_made uuid[]; -- the dataset of each partition that is new, and its first file
  v_made_parts integer[] := array[]::integer[];
  v_made_runs uuid[]; -- and the run that is kept for it, where none opens
  v_delay constant integer := p_plan.delay;
  v_files constant sediment.commit_file[] := p_plan.files;
  v_given constant sediment.partition_change[] := p_plan.parts;
  v_versions public.dataset_versions[];
  v_look boolean;
  v_answers jsonb;
begin
  if p_plan.is_new then
    perform sediment.keep_schemas(array_agg(f.schema), array_agg(f.schema_fingerprint)) from unnest(v_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if p_plan.is_new then
    with made as (
      -- what is not there yet is known, and planned by the settings of the moment
      insert into public.partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, demand_seq, last_seq,
        tier_files, tier_oldest, due_at, next_run_id, last_considered_at, plan_digest)
      select f.dataset_id, f."table", f.period_tag, f.last_file - f.first_file + 1, f.bytes, cardinality(f.calls),
        f.last_file - f.first_file + 1, w.tier_files, w.tier_oldest, w.due_at, gen_random_uuid(), v_now,
        sediment.plan_digest(f.dataset_id, f."table",
          (select s.planner_version from public.service_settings s where s.id))
      from unnest(v_given) as f
      cross join lateral sediment.count_waiting(sediment.new_partition(f.dataset_id, f."table"),
        v_files[f.first_file : f.last_file], v_now) as w
      -- an insert would wait for whoever updates the row that is there
      where not exists (select 1 from public.partitions x
        where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
      order by 1, 2, 3
      on conflict (dataset_id, "table", period_tag) do nothing
      returning dataset_id, "table", period_tag, case when due_at <= v_now then null else next_run_id end as run_id
    )
    select array_agg(f.dataset_id), coalesce(array_agg(f.first_file), '{}'), array_agg(m.run_id)
    into v_made, v_made_parts, v_made_runs
    from made m join unnest(v_given) as f
      on f.dataset_id = m.dataset_id and f."table" = m."table" and f.period_tag = m.period_tag;
  end if;
  if cardinality(v_given) > 1 then
    perform 1 from unnest(v_given) as f
    join public.partitions x
      on x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    order by f.dataset_id, f."table", f.period_tag
    for no key update of x;
  end if;
  with raised as (
    update public.partitions x
    set debt_files = x.debt_files + f.last_file - f.first_file + 1, debt_bytes = x.debt_bytes + f.bytes,
      debt_oldest = case when x.msg_id is not null then coalesce(x.debt_oldest, v_now) else x.debt_oldest end,
      demand_seq = x.demand_seq + cardinality(f.calls), last_seq = x.last_seq + f.last_file - f.first_file + 1,
      (tier_files, tier_oldest, due_at) = (select w.tier_files, w.tier_oldest, w.due_at
        from sediment.count_waiting(x, v_files[f.first_file : f.last_file], v_now) as w),
      next_run_id = case when x.msg_id is not null and x.lease_expires_at is null then x.next_run_id
        else coalesce(x.next_run_id, gen_random_uuid()) end
    from unnest(v_given) as f
    where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
      and f.first_file <> all (v_made_parts)
    returning f.first_file, f.last_file, x.last_seq,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        case
          when x.lease_expires_at is not null or x.msg_id is null and (x.due_at is null or x.due_at > v_now)
            then x.next_run_id
          -- wake_partition would find a message that waits, of this priority or a higher one, and early enough
          when x.ready_at <= v_now + make_interval(secs => v_delay) and x.queue in ('realtime', 'manual')
            then x.run_id end)::sediment.partition_change as part
  ), all_parts as (
    select r.* from raised r
    union all
    select f.first_file, f.last_file, f.last_file - f.first_file + 1,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        m.run_id)::sediment.partition_change
    from unnest(v_made_parts, v_made_runs) as m(first_file, run_id)
    join unnest(v_given) as f on f.first_file = m.first_file
  )
  select array_agg(r.part order by r.first_file),
    (select array_agg(s.last_seq - s.last_file + g.nth order by g.nth)
      from all_parts s cross join lateral generate_series(s.first_file, s.last_file) as g(nth))
  into strict v_parts, v_seqs
  from all_parts r;

  v_versions := sediment.next_versions(p_plan.changes, v_made);
  -- The datasets' rows are locked: what was deleted, handed over or renamed since the stages is seen here.
  with stored as (
    update public.objects x
    set state = 'stored', size = c.object_size, etag = nullif(c.etag, ''), expires_at = null, updated_at = v_now
    from unnest(p_calls) as c
    join public.datasets d on d.id = any (array[c.dataset_id])
    where x.object_key = any (array[c.object_key]) and x.state = 'staged'
    returning d.deletion_version > coalesce(x.staged_version, 0) or d.user_id <> c.user_id or d.has_aliases
      or exists (select 1 from public.deletions z where z.user_id = any (array[c.user_id]) and z.kind = 'user') as look
  )
  select coalesce(bool_or(s.look), true) into strict v_look from stored s;
  if v_look then
    perform sediment.refuse_deleted_stages(p_calls);
    perform sediment.refuse_removed_writers(p_calls);
    perform sediment.refuse_renamed_stages(p_calls, v_files);
  end if;
  if p_direct then
    perform sediment.discard_object(x.object_key, 'the checked copy is stored')
    from public.objects x
    where x.stage_id = any (array(select c.stage from unnest(p_calls) as c)) and x.stage_id is not null
      and x.kind = 'incoming';
  end if;

  for i in 1 .. cardinality(v_parts) loop
    if v_parts[i].run_id is null then
      v_parts[i].run_id := sediment.wake_partition(v_parts[i].dataset_id, v_parts[i]."table", v_parts[i].period_tag,
        'realtime', 'upload', v_delay);
    end if;
  end loop;

  with inserted as (
    insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
      byte_length, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts,
      nullif(f.schema_fingerprint, (
        select k.fingerprint from public.file_schemas k where k.digest = any (array[f.schema_digest]))), f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now,
      f.checksum, f.schema_digest
    from unnest(v_files) with ordinality as f
  ), answers as materialized (
    select c.n, c.stage, c.dataset_id, c."table", c.period_tag, c.content_hash, c.offsets_digest, c.user_id, c.object_key,
      c.size, v.version, i.seqs, i.tables, i.period_tags, i.row_counts, r.run_ids, r.main,
      jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
        'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', '[]'::jsonb, 'runs', r.runs) as answer
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select array_agg(v_seqs[f.ordinality] order by f.ordinal) as seqs, array_agg(f."table" order by f.ordinal) as tables,
        case when bool_or(f.period_tag <> c.period_tag) then array_agg(f.period_tag order by f.ordinal) end as period_tags,
        array_agg(f.row_count order by f.ordinal) as row_counts
      from unnest(v_files) with ordinality as f where f.n = c.n
    ) i
    cross join lateral (
      select jsonb_agg(jsonb_build_object('table', p."table", 'period_tag', p.period_tag, 'metricId', p.run_id)
          order by p."table" collate "C", p.period_tag collate "C") as runs,
        case when count(*) > 1 then array_agg(p.run_id order by p."table" collate "C", p.period_tag collate "C") end
          as run_ids,
        -- the run of the partition that the upload named, else that of its first
        (array_agg(p.run_id order by (p."table" = c."table" and p.period_tag = c.period_tag) desc, p.first_file))[1]
          as main
      from unnest(v_parts) as p where c.n = any (p.calls)
    ) r
  ), entered as (
    insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id, object_key,
      size, created_at, seqs, version, metric_id, tables, period_tags, row_counts, run_ids)
    select a.stage, a.dataset_id, a."table", a.period_tag, a.content_hash, a.offsets_digest, a.user_id,
      case when starts_with(a.object_key, k.stem) then substr(a.object_key, length(k.stem) + 1) else a.object_key end,
      a.size, v_now, a.seqs, a.version, a.main, a.tables, a.period_tags, a.row_counts, a.run_ids
    from answers a
    -- most of the key is the identity
    cross join lateral (
      select concat('battle_data/', a.dataset_id, '/', a."table", '/', a.period_tag, '/', a.stage) as stem) k
  ), counted as (
    insert into public.metric_deltas (metric, label, events, amount)
    select 'uploads', 'stored', count(*), sum(c.size) from unnest(p_calls) as c
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answers a;
  return v_answers;
end $function$;

REVOKE ALL ON FUNCTION "sediment"."count_waiting"(public.partitions, sediment.commit_file[], timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."count_waiting"(public.partitions, sediment.commit_file[], timestamp with time zone) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lock_user_quotas"(uuid[], timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lock_user_quotas"(uuid[], timestamp with time zone) TO "service_role";
