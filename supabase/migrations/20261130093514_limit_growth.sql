-- Bounds how fast a user's partitions and schemas grow (partitions_per_minute, schemas_per_minute), tells the largest object
-- that the store takes (object_limit, max_object_bytes) and counts in dataset_status the files that are left alone.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "sediment"."admit_commit"(sediment.commit_call, integer, text[]);

DROP FUNCTION "sediment"."write_commits"(sediment.commit_call[], sediment.commit_file[]);

CREATE TABLE "public"."user_growth" ("user_id" uuid NOT NULL, "at" timestamp with time zone NOT NULL, "partitions" double precision NOT NULL DEFAULT 0, "schemas" double precision NOT NULL DEFAULT 0, CONSTRAINT "user_growth_pkey" PRIMARY KEY (user_id));

revoke all on "public"."user_growth" from public, anon, authenticated, service_role;

ALTER TABLE "public"."user_growth" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."service_settings" ADD COLUMN "partitions_per_minute" integer DEFAULT 600;

ALTER TABLE "public"."service_settings" ADD COLUMN "schemas_per_minute" integer DEFAULT 100;

ALTER TABLE "public"."service_settings" ADD COLUMN "max_object_bytes" bigint;

ALTER TABLE "public"."user_limits" ADD COLUMN "partitions_per_minute" integer;

ALTER TABLE "public"."user_limits" ADD COLUMN "schemas_per_minute" integer;

CREATE OR REPLACE FUNCTION public.object_limit(p_bucket text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_of_bucket bigint;
begin
  -- dynamically: a database need not have a Storage
  if p_bucket is not null and to_regclass('storage.buckets') is not null then
    execute 'select b.file_size_limit from storage.buckets b where b.id = $1' into v_of_bucket using p_bucket;
  end if;
  return (select jsonb_build_object('max_object_bytes', least(s.max_object_bytes, v_of_bucket))
    from public.service_settings s where s.id);
end $function$;

revoke all on function "public"."object_limit"(text) from public, anon, authenticated, service_role;

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
  delete from public.uploads u where u.id = p.stage;
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
end $function$;

revoke all on function "sediment"."admit_commit"(sediment.commit_call, integer, text[], integer) from public, anon, authenticated, service_role;

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
  v_calls sediment.commit_call[] := sediment.respell_commits(sediment.lock_commit_calls(p_calls));
  v_call sediment.commit_call;
  v_read record;
  v_files sediment.commit_file[];
  v_entered uuid[];
  v_limited boolean;
  v_new record;
  v_new_schemas boolean := false;
  v_refused boolean := false;
  v_going sediment.commit_call[];
  v_answers jsonb := '{}'::jsonb;
begin
  v_read := sediment.read_commit_files(v_calls);
  v_files := v_read.files;
  if v_read.wrong is not null then
    -- the ledger held it when it was staged, so that no files came along, and then it was deleted
    perform sediment.refuse_deleted_stages(v_calls);
    for v_call in select c.* from unnest(v_calls) as c where v_read.wrong ? c.n::text loop
      v_calls[v_call.n].outcome := case when v_call.files = '[]' and exists (
          select 1 from public.objects o join public.datasets d on d.id = o.dataset_id
          where o.object_key = v_call.object_key and d.deletion_version > coalesce(o.staged_version, 0))
        then sediment.failure('stage_expired', 410, format('what stage %s was a duplicate of was deleted', v_call.stage))
        else sediment.failure('invalid_request', 400, v_read.wrong ->> v_call.n::text) end;
    end loop;
  end if;

  -- Whoever inserts the identity first acknowledges it; a racer waits here and then reads what was answered.
  with entered as (
    insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id,
      object_key, size)
    select c.stage, c.dataset_id, c."table", c.period_tag, c.content_hash, c.offsets_digest, c.user_id,
      c.object_key, c.size
    from unnest(v_calls) as c
    where c.outcome is null and not c.known
    order by c.dataset_id, c."table", c.period_tag, c.content_hash
    on conflict (dataset_id, "table", period_tag, content_hash) do nothing
    returning id
  )
  select coalesce(array_agg(e.id), '{}') into strict v_entered from entered e;
  select coalesce(bool_or(sediment.is_near_quota(x.owner_id, x.bytes, x.max)), false) into strict v_limited
  from (
    select c.owner_id, sum(c.object_size)::bigint as bytes,
      coalesce(min(l.stored_bytes_max), min(s.stored_bytes_max)) as max
    from unnest(v_calls) as c
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[c.owner_id])
    where c.outcome is null and not c.known
    group by c.owner_id
  ) x
  where x.max is not null;
  if v_limited then
    -- which of the owners it is, check_stored finds out
    select array_agg((c.n, c.stage, c.user_id, c.size, c.object_size, c.etag, c.files, c.dataset_id, c."table",
      c.period_tag, c.content_hash, c.offsets_digest, c.object_key, c.known, true, c.outcome, c.owner_id)::sediment.commit_call
      order by c.n)
    into strict v_calls from unnest(v_calls) as c;
  end if;

  if cardinality(v_entered) = cardinality(v_calls) and not v_limited then
    -- as mostly: nothing is known, refused or limited
    v_going := v_calls;
  else
    -- By owner, then as they came: two groups that wait for owners' quotas must not wait for each other.
    for v_call in
      select c.* from unnest(v_calls) as c
      where c.outcome is null and (c.limited or c.stage <> all (v_entered)) order by c.owner_id, c.n
    loop
      v_calls[v_call.n].outcome := case when v_call.stage = any (v_entered)
        then sediment.quota_outcome(v_call, v_calls) else sediment.first_outcome(v_call) end;
    end loop;
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  -- What is new with them: datasets, made here, partitions and schemas. By owner, then as they came, as above. What is
  -- known already is asked for once: schemas and partitions are never deleted.
  for v_new in
    with x as materialized (
      select distinct f.n, f.user_id, f.dataset_id, f."table", f.period_tag, f.schema_digest from unnest(v_files) as f
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
    v_new_schemas := v_new_schemas or v_new.schemas is not null;
    v_calls[v_new.n].outcome := sediment.admit_commit(v_calls[v_new.n], v_new.partitions, v_new.tables,
      -- one for each 64 KiB of its text begun
      case when v_new.schemas is null then 0 else (
        select sum(ceil(octet_length(s.schema::text) / 65536.0))::integer
        from (
          select distinct on (f.schema_digest) f.schema from unnest(v_files) as f
          where f.n = v_new.n and f.schema_digest = any (v_new.schemas)
          order by f.schema_digest
        ) s) end);
    v_refused := v_refused or v_calls[v_new.n].outcome is not null;
  end loop;
  if v_refused then
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_files, v_new_schemas);
  end if;

  for v_call in select c.* from unnest(v_calls) as c where c.outcome ? 'heal' order by c.n loop
    v_calls[v_call.n].outcome := (
      select sediment.heal_upload(v_call, u) from public.uploads u
      where u.dataset_id = v_call.dataset_id and u."table" = v_call."table" and u.period_tag = v_call.period_tag
        and u.content_hash = v_call.content_hash);
  end loop;

  return (
    select array_agg(coalesce(c.outcome, jsonb_build_object('answer', v_answers -> c.n::text)) order by c.n)
    from unnest(v_calls) as c);
end $function$;

CREATE OR REPLACE FUNCTION sediment.remove_user(x public.deletions, p_limit integer)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_keep interval;
  v_taken bigint;
begin
  select y.* into d from public.datasets y
  where y.user_id = x.user_id and (y.deleted_at is null or x.purge and not exists (
    select 1 from public.deletions z where z.dataset_id = y.id and z.kind = 'dataset' and z.purge))
  order by y.id limit 1
  for no key update;
  if found then
    perform sediment.mark_deletion(d, x.requested_by, null, null, x.purge, x.id);
    return true;
  end if;

  v_keep := case when x.purge then '0' else sediment.signed_url_life() end;
  with taken as (
    delete from public.assets a
    where (a.user_id, a.key) in (
      select y.user_id, y.key from public.assets y where y.user_id = x.user_id order by y.key limit p_limit)
    returning a.object_key
  ), retired as (
    select sediment.retire_object(t.object_key, 'deletion ' || x.id, v_keep) as done from taken t
  )
  select count(*) into strict v_taken from retired r;
  if v_taken > 0 then
    update public.deletions y set assets = y.assets + v_taken where y.id = x.id;
    return true;
  end if;

  if exists (select 1 from public.deletions z where z.parent_id = x.id
    and (z.state = 'marked' or z.purge and z.state <> 'purged'))
  then
    return false;
  end if;
  delete from public.dataset_members m where m.user_id = x.user_id;
  delete from public.idempotency_keys k where k.user_id = x.user_id;
  delete from public.user_usage u where u.user_id = x.user_id;
  delete from public.user_growth u where u.user_id = x.user_id;
  delete from public.user_limits l where l.user_id = x.user_id;
  update public.objects o set delete_after = clock_timestamp(), updated_at = clock_timestamp()
  where x.purge and o.object_key = any (array(
    select y.object_key from public.objects y
    where y.delete_after > clock_timestamp() and y.state = 'deleting' and y.kind = 'asset' and y.user_id = x.user_id
    for update skip locked));
  update public.deletions y
  set state = case when x.purge then 'purged' else 'removed' end, removed_at = clock_timestamp(),
    purged_at = case when x.purge then clock_timestamp() end, forgotten_at = clock_timestamp()
  where y.id = x.id;
  return true;
end $function$;

CREATE OR REPLACE FUNCTION sediment.spend_growth(p_user uuid, p_partitions integer, p_schemas integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_burst constant double precision := 10; -- minutes
  v_now timestamptz;
  v_limits record;
  v_minutes double precision;
  v_kind record;
  g public.user_growth;
begin
  select coalesce(l.partitions_per_minute, s.partitions_per_minute) as partitions,
    coalesce(l.schemas_per_minute, s.schemas_per_minute) as schemas
  into strict v_limits
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  insert into public.user_growth (user_id, at) values (p_user, clock_timestamp()) on conflict (user_id) do nothing;
  select * into strict g from public.user_growth x where x.user_id = p_user for no key update;
  v_now := clock_timestamp();
  v_minutes := greatest(extract(epoch from v_now - g.at) / 60, 0);
  g.partitions := greatest(g.partitions - v_minutes * coalesce(v_limits.partitions, 0), 0);
  g.schemas := greatest(g.schemas - v_minutes * coalesce(v_limits.schemas, 0), 0);
  for v_kind in
    select k.name, k.rate, k.more, k.owed + k.more - greatest(k.rate * v_burst, k.more) as over
    from (values ('partitions', v_limits.partitions, p_partitions, g.partitions),
      ('schemas', v_limits.schemas, p_schemas, g.schemas)) as k(name, rate, more, owed)
    where k.rate is not null and k.more > 0
  loop
    -- raising takes back what was counted, and with it all that the upload would bring
    if v_kind.over > 0 then
      perform sediment.fail('rate_limited', 429,
        format('%1$s_per_minute: over %2$s new %1$s a minute', v_kind.name, v_kind.rate),
        format('retry after %s s', ceil(v_kind.over / v_kind.rate * 60)));
    end if;
  end loop;
  update public.user_growth x
  set at = v_now,
    partitions = case when v_limits.partitions is null then 0 else g.partitions + p_partitions end,
    schemas = case when v_limits.schemas is null then 0 else g.schemas + p_schemas end
  where x.user_id = p_user;
end $function$;

revoke all on function "sediment"."spend_growth"(uuid, integer, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.write_commits(p_calls sediment.commit_call[], p_files sediment.commit_file[], p_new_schemas boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_parts sediment.partition_change[];
  v_seqs bigint[]; -- of each file, in the order of p_files
  v_changes sediment.dataset_change[];
  v_new_parts boolean;
  v_made uuid[]; -- the dataset of each partition that is new
  v_delay integer;
  v_versions public.dataset_versions[];
  v_answers jsonb;
begin
  with parts as materialized (
    select f.dataset_id, f."table", f.period_tag, min(f.ordinality)::integer as first_file,
      max(f.ordinality)::integer as last_file, sum(f.byte_length)::bigint as bytes, sum(f.row_count) as rows,
      sum(f.uncompressed_bytes) as uncompressed, array_agg(distinct f.n) as calls
    from unnest(p_files) with ordinality as f
    group by f.dataset_id, f."table", f.period_tag
  )
  select array_agg(row(p.dataset_id, p."table", p.period_tag, p.first_file, p.last_file, p.bytes, p.calls,
      null)::sediment.partition_change order by p.first_file),
    bool_or(x.dataset_id is null),
    (select array_agg(row(t.dataset_id, t.files, t.bytes, t.rows, t.uncompressed, null)::sediment.dataset_change)
      from (
        select d.dataset_id, sum(d.last_file - d.first_file + 1) as files, sum(d.bytes) as bytes, sum(d.rows) as rows,
          sum(d.uncompressed) as uncompressed
        from parts d group by d.dataset_id
      ) t),
    (select s.realtime_delay_seconds from public.service_settings s where s.id)
  into strict v_parts, v_new_parts, v_changes, v_delay
  from parts p
  left join public.partitions x
    on x.dataset_id = any (array[p.dataset_id]) and x."table" = p."table" and x.period_tag = p.period_tag;

  if p_new_schemas then
    perform sediment.keep_schemas(array_agg(f.schema)) from unnest(p_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if v_new_parts then
    with made as (
      insert into public.partitions (dataset_id, "table", period_tag)
      select f.dataset_id, f."table", f.period_tag from unnest(v_parts) as f
      -- an insert would wait for whoever updates the row that is there
      where not exists (select 1 from public.partitions x
        where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
      order by 1, 2, 3
      on conflict (dataset_id, "table", period_tag) do nothing
      returning dataset_id
    )
    select array_agg(m.dataset_id) into v_made from made m;
  end if;
  if cardinality(v_parts) > 1 then
    perform 1 from unnest(v_parts) as f
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
    from unnest(v_parts) as f
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

  v_versions := sediment.next_versions(v_changes);
  if v_made is not null then
    update public.datasets d set partition_count = d.partition_count + m.count
    from (select v.id, count(*) as count from unnest(v_made) as v(id) group by v.id) m
    where d.id = any (array[m.id]);
  end if;
  perform sediment.refuse_deleted_stages(p_calls);
  perform sediment.refuse_removed_writers(p_calls);
  perform sediment.refuse_renamed_stages(p_calls, p_files);

  update public.objects x
  set state = 'stored', size = c.object_size, etag = nullif(c.etag, ''), expires_at = null, updated_at = v_now
  from unnest(p_calls) as c
  where x.object_key = any (array[c.object_key]) and x.state = 'staged';
  perform sediment.discard_object(x.object_key, 'the checked copy is stored')
  from public.objects x
  where x.stage_id = any (array(select c.stage from unnest(p_calls) as c)) and x.stage_id is not null
    and x.kind = 'incoming';

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
    from unnest(p_files) with ordinality as f
    returning id, upload_id, "table", period_tag, ordinal, row_count, seq_min
  ), answered as (
    update public.uploads u
    set answer = jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
      'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', i.files, 'runs', r.runs),
      seqs = i.seqs
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
    where u.id = any (array[c.stage])
    returning c.n, u.answer
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answered a;
  return v_answers;
end $function$;

revoke all on function "sediment"."write_commits"(sediment.commit_call[], sediment.commit_file[], boolean) from public, anon, authenticated, service_role;

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_max_object_bytes_check" CHECK ((max_object_bytes > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_partitions_per_minute_check" CHECK ((partitions_per_minute > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_schemas_per_minute_check" CHECK ((schemas_per_minute > 0));

ALTER TABLE "public"."user_limits" ADD CONSTRAINT "user_limits_partitions_per_minute_check" CHECK ((partitions_per_minute > 0));

ALTER TABLE "public"."user_limits" ADD CONSTRAINT "user_limits_schemas_per_minute_check" CHECK ((schemas_per_minute > 0));

CREATE OR REPLACE VIEW "public"."dataset_status" WITH (security_invoker=true) AS  SELECT d.id,
    d.user_id,
    d.name,
    d.version,
    d.oldest_kept_version,
    d.file_count,
    d.file_size_bytes,
    d.file_etag,
    d.row_count,
    d.compression_ratio,
    d.last_compacted_at,
    COALESCE(p.needed, false) AS compaction_needed,
    COALESCE(p.in_progress, false) AS compaction_in_progress,
    (COALESCE(p.debt_files, (0)::numeric))::bigint AS debt_files,
    (COALESCE(p.debt_bytes, (0)::numeric))::bigint AS debt_bytes,
    p.debt_oldest,
    COALESCE(p.dead, (0)::bigint) AS dead_partitions,
    d.created_at,
    d.updated_at,
    (( SELECT COALESCE(sum(x.left_alone_files), (0)::numeric) AS "coalesce"
           FROM public.partitions x
          WHERE ((x.dataset_id = d.id) AND (x.left_alone_files > 0))))::bigint AS left_alone_files
   FROM (public.datasets d
     LEFT JOIN LATERAL ( SELECT bool_or((x.debt_oldest IS NOT NULL)) AS needed,
            bool_or((x.lease_expires_at > statement_timestamp())) AS in_progress,
            sum(x.debt_files) AS debt_files,
            sum(x.debt_bytes) AS debt_bytes,
            min(x.debt_oldest) AS debt_oldest,
            count(x.dead_since) AS dead
           FROM public.partitions x
          WHERE ((x.dataset_id = d.id) AND ((x.debt_oldest IS NOT NULL) OR (x.due_at IS NOT NULL) OR (x.msg_id IS NOT NULL) OR (x.dead_since IS NOT NULL)))) p ON (true));

revoke all on "public"."dataset_status" from public, anon, authenticated, service_role;

CREATE POLICY "service_all" ON "public"."user_growth" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON COLUMN "public"."service_settings"."max_object_bytes" IS 'Largest object that the store takes: outputs are planned to stay below it, and larger uploads are refused when they are planned. Where the objects are in this project''s Storage the bucket''s own file_size_limit holds too. Null: the store has no limit, or only the bucket''s. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."service_settings"."partitions_per_minute" IS 'New partitions a minute of a user without a limit of their own; what ten minutes may bring may come at once. Over it an upload that would begin one waits (rate_limited). Null: no limit. Unit: partitions. Default: 600.';

COMMENT ON COLUMN "public"."service_settings"."schemas_per_minute" IS 'Schemas a minute that no data file had before, of a user without a limit of their own; what ten minutes may bring may come at once. One counts once for each 64 KiB of its JSON begun. Over it an upload that brings one waits (rate_limited). Null: no limit. Unit: schemas. Default: 100.';

COMMENT ON COLUMN "public"."user_limits"."partitions_per_minute" IS 'New partitions a minute; what ten minutes may bring may come at once. Over it an upload that would begin one is refused with rate_limited. Null takes that of service_settings. Unit: partitions. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."schemas_per_minute" IS 'Schemas a minute that no data file had before; what ten minutes may bring may come at once. Over it an upload that brings one is refused with rate_limited. Null takes that of service_settings. Unit: schemas. Default: null.';

REVOKE ALL ON FUNCTION "public"."object_limit"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."object_limit"(text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."admit_commit"(sediment.commit_call, integer, text[], integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."admit_commit"(sediment.commit_call, integer, text[], integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."spend_growth"(uuid, integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."spend_growth"(uuid, integer, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."write_commits"(sediment.commit_call[], sediment.commit_file[], boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."write_commits"(sediment.commit_call[], sediment.commit_file[], boolean) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."user_growth" TO "service_role";

GRANT SELECT ON TABLE "public"."dataset_status" TO "authenticated", "service_role";
