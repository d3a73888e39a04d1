-- Uploads are planned and committed in fewer statements; who acknowledges an identity holds its lock until the commit.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "sediment"."lock_commit_calls"(jsonb);

DROP FUNCTION "sediment"."read_commit_files"(sediment.commit_call[]);

DROP FUNCTION "sediment"."read_stage_calls"(jsonb);

DROP FUNCTION "sediment"."write_commits"(sediment.commit_call[], sediment.commit_file[], boolean);

CREATE TYPE "sediment"."commit_plan" AS ("files" sediment.commit_file[], "wrong" boolean, "known" integer[], "limited" boolean, "is_new" boolean, "parts" sediment.partition_change[], "changes" sediment.dataset_change[], "delay" integer);

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
    'stage_asset', 'commit_asset', 'list_assets', 'get_asset'])
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

CREATE OR REPLACE FUNCTION sediment.admit_commit(p sediment.commit_call, p_partitions integer, p_tables text[], p_schemas integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_detail text;
  v_hint text;
begin
  if not exists (select 1 from public.datasets d where d.id = p.dataset_id) then
    perform sediment.check_dataset_quota(p.user_id, true);
    insert into public.datasets (id, user_id) values (p.dataset_id, p.user_id) on conflict (id) do nothing;
  end if;
  -- a racer may have been first: look again
  perform sediment.require_role(p.user_id, p.dataset_id, 'writer');
  if p_partitions > 0 then
    perform sediment.check_partition_quota(p.owner_id, p.dataset_id, p_partitions, p_tables);
  end if;
  if p_partitions > 0 or p_schemas > 0 then
    perform sediment.spend_growth(p.owner_id, p_partitions, p_schemas);
  end if;
  return null;
exception when others then
  -- a lock not had is the group's error
  if sqlstate not like 'SD%' then
    raise;
  end if;
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
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
  v_answers jsonb := '{}'::jsonb;
  v_out jsonb[];
begin
  if v_locked.aliased then
    v_calls := sediment.respell_commits(v_calls);
  end if;
  v_plan := sediment.plan_commits(v_calls);
  if v_plan.wrong then
    -- the ledger held it when it was staged, so that no files came along, and then it was deleted
    perform sediment.refuse_deleted_stages(v_calls);
    v_wrong := sediment.wrong_files(v_calls, v_plan.known);
  end if;
  -- Mostly nothing is known, wrong or limited. By owner, then as they came: two groups that wait for owners' quotas must
  -- not wait for each other.
  if v_plan.wrong or v_plan.known is not null or v_plan.limited or v_locked.settled then
    v_some := true;
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

  v_going := v_calls;
  if v_some then
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
  end if;
  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_plan, v_locked.direct);
  end if;

  if v_some then
    for v_call in select c.* from unnest(v_calls) as c where c.outcome ? 'heal' order by c.n loop
      v_calls[v_call.n].outcome := (
        select sediment.heal_upload(v_call, u) from public.uploads u
        where u.dataset_id = v_call.dataset_id and u."table" = v_call."table" and u.period_tag = v_call.period_tag
          and u.content_hash = v_call.content_hash);
    end loop;
  end if;

  for i in 1 .. cardinality(v_calls) loop
    v_out[i] := coalesce(v_calls[i].outcome, jsonb_build_object('answer', v_answers -> i::text));
  end loop;
  return v_out;
end $function$;

CREATE OR REPLACE FUNCTION sediment.lock_commit_calls(p_calls jsonb, OUT calls sediment.commit_call[], OUT aliased boolean, OUT direct boolean, OUT settled boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  with given as materialized (
    select c.n::integer as n, a.*
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_stage uuid, p_user uuid, p_size bigint, p_etag text,
      p_content_hash text, p_files jsonb, p_object_size bigint)
  ), locked as materialized (
    select o as object, o.stage_id, o.user_id, o.dataset_id, o."table", o.period_tag, o.content_hash,
      o.offsets_digest, o.object_key, o.state, o.size
    from public.objects o
    where o.stage_id = any (array(select c.p_stage from given c)) and o.stage_id is not null and o.kind = 'fragment'
    order by o.stage_id
    for update
  ), entered as materialized (
    select count(pg_catalog.pg_advisory_xact_lock(i.key)) as waited
    from (
      select distinct pg_catalog.hashtextextended(
        concat_ws('/', 'sediment upload', l.dataset_id, l."table", l.period_tag, l.content_hash), 0) as key
      from locked l where l.state = 'staged' order by 1
    ) i
  ), staged as (
    select c.*, o.dataset_id, o."table", o.period_tag, o.content_hash, o.offsets_digest, o.object_key, o.state,
      -- looked into where something differs: the call costs more than the comparison
      case when (o.user_id = c.p_user and o.content_hash = c.p_content_hash
        and (o.state <> 'staged' or o.size = c.p_size)) is not true
        then sediment.stage_failure(o.object, c.p_stage, c.p_user, c.p_content_hash, c.p_size) end as failure,
      row_number() over (partition by o.dataset_id, o."table", o.period_tag, o.content_hash order by c.n) > 1 as again,
      exists (select 1 from public.objects i
        where i.stage_id = any (array[c.p_stage]) and i.stage_id is not null and i.kind = 'incoming') as direct
    from given c left join locked o on o.stage_id = c.p_stage
    cross join entered
  )
  select array_agg(row(s.n, s.p_stage, s.p_user, s.p_size, coalesce(s.p_object_size, s.p_size), s.p_etag, s.p_files,
      s.dataset_id, s."table", s.period_tag, s.content_hash, s.offsets_digest, s.object_key,
      s.state <> 'staged', false,
      case when s.failure is not null then s.failure when s.again then '{"busy": true}'::jsonb end,
      coalesce(d.user_id, s.p_user))::sediment.commit_call order by s.n),
    coalesce(bool_or(d.has_aliases), false), coalesce(bool_or(s.direct), false),
    coalesce(bool_or(s.again or s.failure is not null), false)
  into strict calls, aliased, direct, settled
  from staged s
  left join public.datasets d on d.id = any (array[s.dataset_id]);
end $function$;

revoke all on function "sediment"."lock_commit_calls"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.plan_commits(p_calls sediment.commit_call[])
 RETURNS sediment.commit_plan
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_plan sediment.commit_plan;
begin
  with calls as materialized (
    select c.*, c.known or u.id is not null as is_known
    from unnest(p_calls) as c
    left join public.uploads u on u.dataset_id = any (array[c.dataset_id]) and u."table" = c."table"
      and u.period_tag = c.period_tag and u.content_hash = c.content_hash
    where c.outcome is null
  ), read as materialized (
    select c.n, c.dataset_id, c.user_id, f.ordinal, f."table", f.period_tag, f.byte_length, f.row_count,
      f.uncompressed_bytes, x.digest,
      row(c.n, c.dataset_id, c.stage, c.user_id, c.object_key, c.etag, f.ordinal, f."table", f.period_tag,
        f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count,
        f.merge_facts, f.schema_fingerprint, f.schema, f.stats, f.checksum, x.digest)::sediment.commit_file as file,
      (f.ordinal >= 0 and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
        and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
        and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
        and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
        and f.schema_fingerprint is not null and f.schema is not null) is not true as is_wrong
    from calls c
    cross join lateral (select case when jsonb_typeof(c.files) = 'array'
      then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
    left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
      start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
      value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb, checksum text) on true
    -- sediment.schema_digest, in place of a call for each
    cross join lateral (select encode(sha256(convert_to(f.schema::text, 'UTF8')), 'hex') as digest) x
    where not c.is_known
  ), sorted as materialized (
    select r.*, row_number() over (order by r.dataset_id, r."table", r.period_tag, r.n, r.ordinal)::integer as nth
    from read r
  ), partitions as materialized (
    select s.dataset_id, s."table", s.period_tag, min(s.nth) as first_file, max(s.nth) as last_file,
      sum(s.byte_length)::bigint as bytes, sum(s.row_count) as rows, sum(s.uncompressed_bytes) as uncompressed,
      array_agg(distinct s.n) as calls, bool_or(k.digest is null) as new_schemas
    from sorted s
    left join public.file_schemas k on k.digest = any (array[s.digest])
    where s.ordinal is not null
    group by s.dataset_id, s."table", s.period_tag
  )
  select a.files, a.wrong, k.known, l.limited, k.of_others or b.is_new, b.parts, b.changes,
    (select s.realtime_delay_seconds from public.service_settings s where s.id)
  into strict v_plan
  from (
    select array_agg(s.file order by s.nth) filter (where s.ordinal is not null) as files,
      coalesce(bool_or(s.is_wrong), false) or count(*) <> count(distinct s.n::bigint << 32 | s.ordinal) as wrong
    from sorted s
  ) a
  cross join (
    select array_agg(c.n) filter (where c.is_known) as known,
      coalesce(bool_or(c.owner_id <> c.user_id) filter (where not c.is_known), false) as of_others
    from calls c
  ) k
  cross join (
    select coalesce(bool_or(p.is_new), false) as is_new,
      array_agg(p.part order by p.first_file) as parts,
      (select array_agg(row(t.dataset_id, t.files, t.bytes, t.rows, t.uncompressed, null)::sediment.dataset_change)
        from (
          select g.dataset_id, sum(g.last_file - g.first_file + 1) as files, sum(g.bytes) as bytes, sum(g.rows) as rows,
            sum(g.uncompressed) as uncompressed
          from partitions g group by g.dataset_id
        ) t) as changes
    from (
      select x.first_file, row(x.dataset_id, x."table", x.period_tag, x.first_file, x.last_file, x.bytes, x.calls,
          null)::sediment.partition_change as part,
        x.new_schemas or y.dataset_id is null as is_new
      from partitions x
      left join public.partitions y
        on y.dataset_id = any (array[x.dataset_id]) and y."table" = x."table" and y.period_tag = x.period_tag
    ) p
  ) b
  cross join (
    -- as sediment.is_near_quota has it
    select coalesce(bool_or(o.bytes + (
        select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
        where d.user_id = any (array[o.owner_id])
      ) + coalesce((select u.asset_bytes from public.user_usage u where u.user_id = any (array[o.owner_id])), 0)
      > o.max - greatest(o.max / 20, 1073741824)), false) as limited
    from (
      select c.owner_id, sum(c.object_size)::bigint as bytes,
        coalesce(min(m.stored_bytes_max), min(s.stored_bytes_max)) as max
      from calls c
      join public.service_settings s on s.id
      left join public.user_limits m on m.user_id = any (array[c.owner_id])
      where not c.is_known
      group by c.owner_id
    ) o
    where o.max is not null
  ) l;
  return v_plan;
end $function$;

revoke all on function "sediment"."plan_commits"(sediment.commit_call[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.quota_outcome(p sediment.commit_call, p_calls sediment.commit_call[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_detail text;
  v_hint text;
begin
  perform sediment.check_stored(p.owner_id, (
    select sum(c.object_size)::bigint from unnest(p_calls) as c
    where c.owner_id = p.owner_id and c.n <= p.n and c.outcome is null));
  return null;
exception when others then
  -- a lock not had is the group's error
  if sqlstate not like 'SD%' then
    raise;
  end if;
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
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
      case when u.answer is not null and gone.at is null and sediment.lost_files(u.id) = 0 then u.answer end,
      d.id is null or gone.at is not null or a.p_idempotency_key is not null,
      case
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
        when d.user_id <> a.p_user and m.role is null then
          sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', a.p_dataset))
        when d.user_id <> a.p_user and m.role <> 'writer' then
          sediment.failure('dataset_forbidden', 403, format('in dataset %s the user is a %s', a.p_dataset, m.role),
            'the role writer')
        when z.id is not null then
          sediment.failure('user_deleted', 410, format('user %s was deleted', a.p_user), 'another account')
        when d.deleted_at is not null then
          sediment.failure('dataset_deleted', 410, format('dataset %s was deleted on %s', a.p_dataset, d.deleted_at),
            'another dataset_id')
        when gone.at > clock_timestamp() - (select make_interval(secs => s.deleted_upload_seconds)
            from public.service_settings s where s.id)
          and coalesce(a.p_again, false) is false
        then
          sediment.failure('upload_deleted', 410, format('this body was uploaded, and deleted on %s', gone.at),
            'again=1, to have it back')
        when gone.at is null and u.offsets_digest <> coalesce(a.p_offsets_digest, '') then
          sediment.failure('upload_conflict', 422,
            format('this body was acknowledged on %s with other offsets', u.created_at),
            'the offsets of the first upload')
      end, coalesce(d.user_id, a.p_user))::sediment.stage_call order by c.n),
      coalesce(bool_or(d.has_aliases or a.p_own_dataset and d.user_id <> a.p_user and m.role is distinct from 'writer'),
        false),
      coalesce(bool_or(d.id is null or gone.at is not null or a.p_idempotency_key is not null), false)
    into strict calls, respelled, admitted
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
      p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
      p_max_put_seconds integer, p_details jsonb, p_idempotency_key text, p_again boolean,
      p_own_dataset boolean)
    left join public.datasets d on d.id = any (array[a.p_dataset])
    left join public.dataset_members m on m.dataset_id = any (array[d.id]) and m.user_id = a.p_user
    left join public.uploads u on u.dataset_id = any (array[a.p_dataset]) and u."table" = a.p_table
      and u.period_tag = a.p_period_tag and u.content_hash = a.p_content_hash
    left join public.deletions z on z.user_id = any (array[a.p_user]) and z.kind = 'user'
    cross join lateral (select case when d.deletion_version > (u.answer ->> 'version')::bigint
      then sediment.upload_deleted_at(u) end as at) gone;
end $function$;

revoke all on function "sediment"."read_stage_calls"(jsonb) from public, anon, authenticated, service_role;

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
  v_rooms sediment.user_room[];
  v_calls sediment.stage_call[] := p_calls;
  v_call sediment.stage_call;
  r sediment.user_room;
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

  v_rooms := sediment.user_rooms(
    array(select c.user_id from unnest(p_calls) as c where c.outcome is null and c.owner_id <> all (v_done)
      union select c.owner_id from unnest(p_calls) as c where c.outcome is null and c.owner_id <> all (v_done)), v_now);
  for v_call in
    select c.* from unnest(p_calls) as c where c.outcome is null and c.owner_id <> all (v_done) order by c.owner_id, c.n
  loop
    while v_at = 0 or v_rooms[v_at].user_id <> v_call.owner_id loop
      v_at := v_at + 1;
    end loop;
    v_planner := v_at;
    if v_call.user_id <> v_call.owner_id then
      v_planner := 1;
      while v_rooms[v_planner].user_id <> v_call.user_id loop
        v_planner := v_planner + 1;
      end loop;
    end if;
    r := v_rooms[v_planner];
    -- counted when what was planned since the last time comes to the limit, not for each
    if r.open_stages >= r.open_stages_max then
      r.open_stages := (
        select count(*) from (
          select 1 from public.objects o
          where o.user_id = any (array[r.user_id]) and o.state = 'staged' and o.user_id is not null
          limit r.open_stages_max) x);
      v_rooms[v_planner] := r;
    end if;
    r := v_rooms[v_at];
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
      when v_rooms[v_planner].open_stages >= v_rooms[v_planner].open_stages_max then
        sediment.failure('quota_exceeded', 429,
          format('open_stages_max: %s planned uploads were not ended', v_rooms[v_planner].open_stages),
          'uploads that are ended, or time for them to expire')
    end;
    if v_call.outcome is not null then
      v_calls[v_call.n].outcome := v_call.outcome;
      continue;
    end if;
    r.minute_uploads := r.minute_uploads + 1;
    r.day_bytes := r.day_bytes + v_call.size;
    v_rooms[v_at] := r;
    v_rooms[v_planner].open_stages := v_rooms[v_planner].open_stages + 1;
  end loop;

  update public.user_usage u
  set minute_start = v_minute, minute_uploads = x.minute_uploads,
    minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end,
    day_start = v_day, day_bytes = x.day_bytes, open_stages = x.open_stages
  from unnest(v_rooms) as x
  where u.user_id = any (array[x.user_id]);
  return v_calls;
end $function$;

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
  ), incoming as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, stage_id)
    select p.incoming_key, 'incoming', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p.stage_id
    from planned p where p.outcome is null and p.incoming_key is not null
  )
  select array_agg(coalesce(p.outcome, jsonb_build_object('answer', jsonb_build_object(
    'stage_id', p.stage_id, 'dataset_id', p.dataset_id, 'object_key', p.object_key, 'incoming_key', p.incoming_key,
    'expires_at', p.expires_at, 'duplicate', p.first_answer is not null,
    'answer', p.first_answer || jsonb_build_object('duplicate', true)))) order by p.n)
  into strict v_out
  from planned p;
  return v_out;
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
  v_made uuid[]; -- the dataset of each partition that is new
  v_delay constant integer := p_plan.delay;
  v_files constant sediment.commit_file[] := p_plan.files;
  v_given constant sediment.partition_change[] := p_plan.parts;
  v_versions public.dataset_versions[];
  v_look boolean;
  v_answers jsonb;
begin
  if p_plan.is_new then
    perform sediment.keep_schemas(array_agg(f.schema)) from unnest(v_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if p_plan.is_new then
    with made as (
      insert into public.partitions (dataset_id, "table", period_tag)
      select f.dataset_id, f."table", f.period_tag from unnest(v_given) as f
      -- an insert would wait for whoever updates the row that is there
      where not exists (select 1 from public.partitions x
        where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
      order by 1, 2, 3
      on conflict (dataset_id, "table", period_tag) do nothing
      returning dataset_id
    )
    select array_agg(m.dataset_id) into v_made from made m;
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
      debt_oldest = coalesce(x.debt_oldest, v_now), demand_seq = x.demand_seq + cardinality(f.calls),
      last_seq = x.last_seq + f.last_file - f.first_file + 1
    from unnest(v_given) as f
    where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    returning f.first_file, f.last_file, x.last_seq,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        -- wake_partition would find a message that waits, of this priority or a higher one, and early enough
        case when x.lease_expires_at is null and x.ready_at <= v_now + make_interval(secs => v_delay)
          and x.queue in ('realtime', 'manual') then x.run_id end)::sediment.partition_change as part
  )
  select array_agg(r.part order by r.first_file),
    (select array_agg(s.last_seq - s.last_file + g.nth order by g.nth)
      from raised s cross join lateral generate_series(s.first_file, s.last_file) as g(nth))
  into strict v_parts, v_seqs
  from raised r;

  v_versions := sediment.next_versions(p_plan.changes);
  if v_made is not null then
    update public.datasets d set partition_count = d.partition_count + m.count
    from (select v.id, count(*) as count from unnest(v_made) as v(id) group by v.id) m
    where d.id = any (array[m.id]);
  end if;
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
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, nullif(f.etag, ''), 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts, f.schema_fingerprint, f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now,
      f.checksum, f.schema_digest
    from unnest(v_files) with ordinality as f
    returning id, upload_id, "table", period_tag, ordinal, row_count, seq_min
  ), answers as materialized (
    select c.n, c.stage, c.dataset_id, c."table", c.period_tag, c.content_hash, c.offsets_digest, c.user_id, c.object_key,
      c.size, i.seqs, jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
        'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', i.files, 'runs', r.runs) as answer
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select jsonb_agg(jsonb_build_object('id', i.id, 'table', i."table", 'period_tag', i.period_tag,
        'ordinal', i.ordinal, 'row_count', i.row_count) order by i.ordinal) as files,
        array_agg(i.seq_min order by i.ordinal) as seqs
      from inserted i where i.upload_id = c.stage
    ) i
    cross join lateral (
      select jsonb_agg(jsonb_build_object('table', p."table", 'period_tag', p.period_tag, 'metricId', p.run_id)
          order by p.first_file) as runs,
        -- the run of the partition that the upload named, else that of its first
        (array_agg(p.run_id order by (p."table" = c."table" and p.period_tag = c.period_tag) desc, p.first_file))[1]
          as main
      from unnest(v_parts) as p where c.n = any (p.calls)
    ) r
  ), entered as (
    insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id, object_key,
      size, answer, seqs)
    select a.stage, a.dataset_id, a."table", a.period_tag, a.content_hash, a.offsets_digest, a.user_id, a.object_key,
      a.size, a.answer, a.seqs
    from answers a
    returning id
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answers a;
  return v_answers;
end $function$;

revoke all on function "sediment"."write_commits"(sediment.commit_call[], sediment.commit_plan, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.wrong_files(p_calls sediment.commit_call[], p_known integer[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return (
    -- of a call's the last one stays
    select jsonb_object_agg(x.n, x.wrong order by x.n, x.ordinal desc nulls first) filter (where x.wrong is not null)
    from (
      select c.n, f.ordinal, case
        when t.list is null then 'p_files is not an array of 1 to 10000 data files'
        when (f.ordinal >= 0 and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
          and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
          and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
          and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
          and f.schema_fingerprint is not null and f.schema is not null) is not true
        then format('data file %s is not well formed: table %s, period_tag %s, start_byte %s, byte_length %s',
          f.ordinal, quote_nullable(left(f."table", 80)), quote_nullable(left(f.period_tag, 80)), f.start_byte,
          f.byte_length)
        when count(*) over (partition by c.n, f.ordinal) > 1 then 'two data files have the same ordinal'
      end as wrong
      from unnest(p_calls) as c
      cross join lateral (select case when jsonb_typeof(c.files) = 'array'
        then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
      left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
        start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
        value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb) on true
      where c.outcome is null and c.n <> all (coalesce(p_known, '{}'))
    ) x);
end $function$;

revoke all on function "sediment"."wrong_files"(sediment.commit_call[], integer[]) from public, anon, authenticated, service_role;

REVOKE ALL ON FUNCTION "sediment"."lock_commit_calls"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lock_commit_calls"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."plan_commits"(sediment.commit_call[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."plan_commits"(sediment.commit_call[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."read_stage_calls"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."read_stage_calls"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."write_commits"(sediment.commit_call[], sediment.commit_plan, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."write_commits"(sediment.commit_call[], sediment.commit_plan, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."wrong_files"(sediment.commit_call[], integer[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."wrong_files"(sediment.commit_call[], integer[]) TO "service_role";
