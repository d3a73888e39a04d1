-- Statements of uploads that start faster: fewer of them, fewer expressions in each, and shorter checks of the tables that they
-- write to, which hold less than the checks of before: the next migration looks, and keeps nobody waiting.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_facts";

ALTER TABLE "public"."objects" DROP CONSTRAINT "objects_kind_check";

ALTER TABLE "public"."objects" DROP CONSTRAINT "objects_size_check";

ALTER TABLE "public"."objects" DROP CONSTRAINT "objects_state_check";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_facts";

DROP FUNCTION "sediment"."write_commits"(sediment.commit_call[], sediment.commit_plan, boolean);

CREATE OR REPLACE FUNCTION public.call_quietly(p_function text, p_args jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_names text[];
  v_columns text;
  v_answer jsonb;
  v_outcome jsonb;
  v_detail text;
  v_hint text;
begin
  -- what most requests lead to, by statements that are kept
  if p_function in ('stage_upload', 'commit_upload') then
    begin
      v_outcome := (case p_function when 'stage_upload' then sediment.stage_uploads(jsonb_build_array(p_args))
        else sediment.commit_uploads(jsonb_build_array(p_args)) end)[1];
      if v_outcome ? 'error' then
        perform sediment.answer_of(array[v_outcome]); -- takes back what was done
      end if;
      return v_outcome;
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
      and p_args ? x.name and (p.proargnames && array['p_user'] or p.proname = 'open_key')
  ) a;
  if v_names is null then
    perform sediment.fail('invalid_request', 400, format('%s is not called so', left(p_function, 80)));
  end if;
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
  v_locked record := sediment.lock_commit_calls(p_calls);
  v_calls sediment.commit_call[] := v_locked.calls;
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
begin
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

CREATE OR REPLACE FUNCTION sediment.plan_commits(p_calls sediment.commit_call[])
 RETURNS sediment.commit_plan
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_plan sediment.commit_plan;
  v_parts sediment.partition_change[] := '{}'::sediment.partition_change[];
  v_changes sediment.dataset_change[] := '{}'::sediment.dataset_change[];
  v_part sediment.partition_change;
  v_change sediment.dataset_change;
  v_file sediment.commit_file;
begin
  with read as materialized (
    select c.n, c.dataset_id, c.owner_id, c.object_size, f.ordinal, f."table", f.period_tag, e.is_known,
      c.owner_id <> c.user_id as of_others, k.digest is null or y.dataset_id is null as is_new,
      row(c.n, c.dataset_id, c.stage, c.user_id, c.object_key, c.etag, f.ordinal, f."table", f.period_tag,
        f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count,
        f.merge_facts, f.schema_fingerprint, f.schema, f.stats, f.checksum, x.digest)::sediment.commit_file as file,
      (f.ordinal >= 0 and f.ordinal < jsonb_array_length(t.list)
        and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
        and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
        and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
        and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
        and f.schema_fingerprint is not null and f.schema is not null) is not true as is_wrong
    from unnest(p_calls) as c
    left join public.uploads u on u.dataset_id = any (array[c.dataset_id]) and u."table" = c."table"
      and u.period_tag = c.period_tag and u.content_hash = c.content_hash
    cross join lateral (select c.known or u.id is not null as is_known) e
    cross join lateral (select case when not e.is_known and jsonb_typeof(c.files) = 'array'
      then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
    left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
      start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
      value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb, checksum text) on true
    -- sediment.schema_digest, in place of a call for each; an offset keeps it from being worked out for each use
    cross join lateral (
      select encode(substr(sha256(convert_to(f.schema::text, 'UTF8')), 1, 24), 'base64') as digest offset 0) x
    left join public.file_schemas k on k.digest = any (array[x.digest])
    left join public.partitions y
      on y.dataset_id = any (array[c.dataset_id]) and y."table" = f."table" and y.period_tag = f.period_tag
    where c.outcome is null
  )
  select a.files, a.wrong, a.known,
    -- as sediment.is_near_quota has it
    exists (
      select 1 from unnest(a.owners) as o(id)
      left join public.user_limits m on m.user_id = any (array[o.id])
      left join public.user_usage y on y.user_id = any (array[o.id])
      where a.bytes + coalesce(y.asset_bytes, 0) + (
          select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
          where d.user_id = any (array[o.id]))
        > coalesce(m.stored_bytes_max, s.stored_bytes_max)
          - greatest(coalesce(m.stored_bytes_max, s.stored_bytes_max) / 20, 1073741824)),
    a.is_new, null::sediment.partition_change[], null::sediment.dataset_change[], s.realtime_delay_seconds
  into strict v_plan
  from public.service_settings s
  cross join (
    select array_agg(r.file order by r.dataset_id, r."table", r.period_tag, r.n, r.ordinal)
        filter (where r.ordinal is not null) as files,
      coalesce(bool_or(r.is_wrong and not r.is_known), false)
        or count(r.ordinal) <> count(distinct r.n::bigint << 32 | r.ordinal) as wrong,
      array_agg(distinct r.n) filter (where r.is_known) as known,
      coalesce(bool_or(r.of_others or r.is_new) filter (where not r.is_known), false) as is_new,
      array_agg(distinct r.owner_id) filter (where not r.is_known) as owners,
      (sum(r.object_size) filter (where r.ordinal = 0))::bigint as bytes
    from read r
  ) a
  where s.id;

  -- Sorted as they are, what belongs together stands together. Mostly it is one file: a loop costs more than the row.
  if cardinality(v_plan.files) = 1 then
    v_file := v_plan.files[1];
    v_plan.parts := array[row(v_file.dataset_id, v_file."table", v_file.period_tag, 1, 1, v_file.byte_length,
      array[v_file.n], null)::sediment.partition_change];
    v_plan.changes := array[row(v_file.dataset_id, 1, v_file.byte_length, v_file.row_count, v_file.uncompressed_bytes,
      null)::sediment.dataset_change];
    return v_plan;
  end if;
  for i in 1 .. coalesce(cardinality(v_plan.files), 0) loop
    v_file := v_plan.files[i];
    if v_part.dataset_id = v_file.dataset_id and v_part."table" = v_file."table"
      and v_part.period_tag = v_file.period_tag
    then
      v_part.last_file := i;
      v_part.bytes := v_part.bytes + v_file.byte_length;
      if v_part.calls[cardinality(v_part.calls)] <> v_file.n then
        v_part.calls := v_part.calls || v_file.n;
      end if;
    else
      if i > 1 then
        v_parts := v_parts || v_part;
      end if;
      v_part := row(v_file.dataset_id, v_file."table", v_file.period_tag, i, i, v_file.byte_length, array[v_file.n], null);
    end if;
    if v_change.dataset_id = v_file.dataset_id then
      v_change.files := v_change.files + 1;
      v_change.bytes := v_change.bytes + v_file.byte_length;
      v_change.rows := v_change.rows + v_file.row_count;
      v_change.uncompressed := v_change.uncompressed + v_file.uncompressed_bytes;
    else
      if i > 1 then
        v_changes := v_changes || v_change;
      end if;
      v_change := row(v_file.dataset_id, 1, v_file.byte_length, v_file.row_count, v_file.uncompressed_bytes, null);
    end if;
  end loop;
  if v_part.dataset_id is not null then
    v_plan.parts := v_parts || v_part;
    v_plan.changes := v_changes || v_change;
  end if;
  return v_plan;
end $function$;

CREATE OR REPLACE FUNCTION sediment.read_stage_calls(p_calls jsonb, OUT calls sediment.stage_call[], OUT respelled boolean, OUT admitted boolean)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  select array_agg(row(c.n, a.p_user, a.p_dataset, a.p_table, a.p_period_tag, a.p_size, a.p_content_hash,
      coalesce(a.p_offsets_digest, ''), coalesce(a.p_kind, 'fragment'), coalesce(a.p_ttl_seconds, 120),
      coalesce(a.p_max_put_seconds, 7200), a.p_details, a.p_idempotency_key,
      case when u.id is not null and gone.at is null and sediment.lost_files(u.id) = 0 then sediment.upload_answer(u) end,
      d.id is null or gone.at is not null or a.p_idempotency_key is not null,
      -- mostly a call of the owner's is one like any other, of a body that is new
      case when (u.id is null and z.id is null and d.deleted_at is null and coalesce(d.user_id, a.p_user) = a.p_user
          and a.p_dataset is not null and a.p_size > 0 and a.p_table ~ '^[A-Za-z0-9_-]{1,64}$'
          and a.p_period_tag ~ '^[A-Za-z0-9_-]{1,64}$' and a.p_content_hash ~ '^[0-9a-f]{64}$'
          and coalesce(a.p_kind, 'fragment') in ('fragment', 'concatenated', 'direct_fragment', 'direct_concatenated')
          and a.p_ttl_seconds > 0 and coalesce(a.p_max_put_seconds, 0) >= 0
        ) is not true
        then sediment.stage_refusal(c.value, d.user_id, d.deleted_at, z.id is not null, gone.at, u.created_at,
          u.offsets_digest)
      end, coalesce(d.user_id, a.p_user))::sediment.stage_call order by c.n),
      coalesce(bool_or(d.has_aliases or a.p_own_dataset and d.user_id <> a.p_user), false),
      coalesce(bool_or(d.id is null or gone.at is not null or a.p_idempotency_key is not null), false)
    into strict calls, respelled, admitted
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
      p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
      p_max_put_seconds integer, p_details jsonb, p_idempotency_key text, p_own_dataset boolean)
    left join public.datasets d on d.id = any (array[a.p_dataset])
    left join public.uploads u on u.dataset_id = any (array[a.p_dataset]) and u."table" = a.p_table
      and u.period_tag = a.p_period_tag and u.content_hash = a.p_content_hash
    left join public.deletions z on z.user_id = any (array[a.p_user]) and z.kind = 'user'
    cross join lateral (select case when d.deletion_version > coalesce(u.version, (u.answer ->> 'version')::bigint)
      then sediment.upload_deleted_at(u) end as at) gone;
end $function$;

CREATE OR REPLACE FUNCTION sediment.stage_refusal(p_call jsonb, p_owner uuid, p_deleted_at timestamp with time zone, p_user_deleted boolean, p_gone timestamp with time zone, p_known_at timestamp with time zone, p_known_digest text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  a record;
  v_role text;
begin
  select * into a from jsonb_to_record(p_call) as x(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
    p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
    p_max_put_seconds integer, p_again boolean);
  if p_owner <> a.p_user then
    select m.role into v_role from public.dataset_members m where m.dataset_id = a.p_dataset and m.user_id = a.p_user;
  end if;
  return case
    when a.p_user is null or a.p_dataset is null then
      sediment.failure('invalid_request', 400, 'p_user and p_dataset are needed')
    when (a.p_table ~ '^[A-Za-z0-9_-]{1,64}$') is not true then sediment.name_failure('table', a.p_table)
    when (a.p_period_tag ~ '^[A-Za-z0-9_-]{1,64}$') is not true then
      sediment.name_failure('period_tag', a.p_period_tag)
    when (a.p_size > 0) is not true then
      sediment.failure('invalid_request', 400, format('the size is %s', a.p_size), 'a positive integer')
    when (a.p_content_hash ~ '^[0-9a-f]{64}$') is not true then
      sediment.failure('invalid_request', 400, 'the content hash is not a SHA-256', '64 lower-case hex digits')
    when a.p_kind not in ('fragment', 'concatenated', 'direct_fragment', 'direct_concatenated') then
      sediment.failure('invalid_request', 400, format('p_kind is %s', a.p_kind))
    when a.p_ttl_seconds <= 0 or a.p_max_put_seconds < 0 then
      sediment.failure('invalid_request', 400, 'the times to live are not positive')
    when p_owner <> a.p_user and v_role is null then
      sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', a.p_dataset))
    when p_owner <> a.p_user and v_role <> 'writer' then
      sediment.failure('dataset_forbidden', 403, format('in dataset %s the user is a %s', a.p_dataset, v_role),
        'the role writer')
    when p_user_deleted then
      sediment.failure('user_deleted', 410, format('user %s was deleted', a.p_user), 'another account')
    when p_deleted_at is not null then
      sediment.failure('dataset_deleted', 410, format('dataset %s was deleted on %s', a.p_dataset, p_deleted_at),
        'another dataset_id')
    when p_gone > clock_timestamp() - (select make_interval(secs => s.deleted_upload_seconds)
        from public.service_settings s where s.id)
      and coalesce(a.p_again, false) is false
    then
      sediment.failure('upload_deleted', 410, format('this body was uploaded, and deleted on %s', p_gone),
        'again=1, to have it back')
    when p_gone is null and p_known_digest <> coalesce(a.p_offsets_digest, '') then
      sediment.failure('upload_conflict', 422,
        format('this body was acknowledged on %s with other offsets', p_known_at),
        'the offsets of the first upload')
  end;
end $function$;

revoke all on function "sediment"."stage_refusal"(jsonb, uuid, timestamp with time zone, boolean, timestamp with time zone, timestamp with time zone, text) from public, anon, authenticated, service_role;

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
  v_read record := sediment.read_stage_calls(p_calls);
  v_calls sediment.stage_call[];
  v_call sediment.stage_call;
  v_now timestamptz := clock_timestamp();
  v_detail text;
  v_hint text;
  v_out jsonb[];
  v_direct boolean;
begin
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

CREATE OR REPLACE FUNCTION sediment.write_commits(p_calls sediment.commit_call[], p_plan sediment.commit_plan, p_direct boolean)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_parts sediment.partition_change[];
  v_last_seqs bigint[]; -- of each of the parts
  v_seqs bigint[]; -- of each file, in the order of v_files
  v_made uuid[]; -- the dataset of each partition that is new, and its first file
  v_made_parts integer[] := array[]::integer[];
  v_made_runs uuid[]; -- and the run that is kept for it, where none opens
  v_delay constant integer := p_plan.delay;
  v_files constant sediment.commit_file[] := p_plan.files;
  v_given constant sediment.partition_change[] := p_plan.parts;
  v_versions public.dataset_versions[];
  v_look boolean;
  v_answers jsonb[];
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
      -- what joins a message that waits is not counted, and costs no call
      (tier_files, tier_oldest, due_at) = (
        select x.tier_files, x.tier_oldest, x.due_at where x.msg_id is not null and x.lease_expires_at is null
        union all
        select w.tier_files, w.tier_oldest, w.due_at
        from sediment.count_waiting(x, v_files[f.first_file : f.last_file], v_now) as w
        where x.msg_id is null or x.lease_expires_at is not null),
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
  )
  select array_agg(r.part order by r.first_file), array_agg(r.last_seq order by r.first_file)
  into strict v_parts, v_last_seqs
  from raised r;
  if cardinality(v_made_parts) > 0 then
    select array_agg(x.part order by x.first_file), array_agg(x.last_seq order by x.first_file)
    into strict v_parts, v_last_seqs
    from (
      select r.first_file, row(r.dataset_id, r."table", r.period_tag, r.first_file, r.last_file, r.bytes, r.calls,
        r.run_id)::sediment.partition_change as part, v_last_seqs[r.nth] as last_seq
      from unnest(v_parts) with ordinality
        as r(dataset_id, "table", period_tag, first_file, last_file, bytes, calls, run_id, nth)
      union all
      select f.first_file, row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        m.run_id)::sediment.partition_change, f.last_file - f.first_file + 1
      from unnest(v_made_parts, v_made_runs) as m(first_file, run_id)
      join unnest(v_given) as f on f.first_file = m.first_file
    ) x;
  end if;
  for i in 1 .. cardinality(v_parts) loop
    for v_nth in v_parts[i].first_file .. v_parts[i].last_file loop
      v_seqs[v_nth] := v_last_seqs[i] - v_parts[i].last_file + v_nth;
    end loop;
  end loop;

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
      c.size, v.version, i.slices, r.run_ids, r.main,
      jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
        'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', '[]'::jsonb, 'runs', r.runs) as answer
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select string_agg(concat_ws(' ', case when f.period_tag = c.period_tag then f."table"
          else f."table" || '/' || f.period_tag end, f.row_count, v_seqs[f.ordinality]), ',' order by f.ordinal) as slices
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
      size, created_at, version, metric_id, run_ids, slices)
    select a.stage, a.dataset_id, a."table", a.period_tag, a.content_hash, a.offsets_digest, a.user_id,
      case when starts_with(a.object_key, k.stem) then substr(a.object_key, length(k.stem) + 1) else a.object_key end,
      a.size, v_now, a.version, a.main, a.run_ids, a.slices
    from answers a
    -- most of the key is the identity
    cross join lateral (
      select concat('battle_data/', a.dataset_id, '/', a."table", '/', a.period_tag, '/', a.stage) as stem) k
  ), counted as (
    insert into public.metric_deltas (metric, label, events, amount)
    select 'uploads', 'stored', count(*), sum(c.size) from unnest(p_calls) as c
  )
  select array_agg(jsonb_build_object('answer', a.answer) order by a.n) into strict v_answers from answers a;
  return v_answers;
end $function$;

revoke all on function "sediment"."write_commits"(sediment.commit_call[], sediment.commit_plan, boolean) from public, anon, authenticated, service_role;

ALTER TABLE "public"."battle_files" ADD CONSTRAINT "battle_files_facts" CHECK (((start_byte >= 0) AND (byte_length > 0) AND (state = ANY (ARRAY['active'::text, 'quarantined'::text])) AND (row_count >= 0) AND (row_group_count >= 0) AND (uncompressed_bytes >= 0) AND (checksum ~ '^[0-9a-f]{16}$'::text) AND (num_nulls(upload_id, run_id) = 1) AND ((upload_id IS NULL) = (level > 0)) AND (seq_min <= seq_max) AND (removed_version > added_version))) NOT VALID;

ALTER TABLE "public"."objects" ADD CONSTRAINT "objects_facts" CHECK (((kind = ANY (ARRAY['fragment'::text, 'incoming'::text, 'compacted'::text, 'asset'::text, 'probe'::text])) AND (state = ANY (ARRAY['staged'::text, 'stored'::text, 'deleting'::text, 'tombstone'::text])) AND (size >= 0))) NOT VALID;

ALTER TABLE "public"."partitions" ADD CONSTRAINT "partitions_facts" CHECK (((debt_files >= 0) AND (debt_bytes >= 0) AND (queue = ANY (ARRAY['manual'::text, 'realtime'::text, 'scheduled'::text])) AND (jsonb_typeof(isolation) = 'object'::text) AND (output_cap_bytes > 0) AND (left_alone_files >= 0) AND ((num_nulls(queue, msg_id, run_id, ready_at) % 4) = 0) AND ((lease_expires_at IS NULL) OR (msg_id IS NOT NULL)) AND (num_nulls(lease_expires_at, claimed_demand_seq) <> 1))) NOT VALID;

REVOKE ALL ON FUNCTION "sediment"."stage_refusal"(jsonb, uuid, timestamp with time zone, boolean, timestamp with time zone, timestamp with time zone, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."stage_refusal"(jsonb, uuid, timestamp with time zone, boolean, timestamp with time zone, timestamp with time zone, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."write_commits"(sediment.commit_call[], sediment.commit_plan, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."write_commits"(sediment.commit_call[], sediment.commit_plan, boolean) TO "service_role";
