-- Counters of uploads, runs, merges and problems, and what GET /compaction/metrics reads beside them. They begin at zero.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE TABLE "public"."metric_deltas" ("metric" text COLLATE pg_catalog."C" NOT NULL, "label" text COLLATE pg_catalog."C" NOT NULL DEFAULT ''::text, "events" bigint NOT NULL DEFAULT 1, "amount" double precision NOT NULL DEFAULT 0);

revoke all on "public"."metric_deltas" from public, anon, authenticated, service_role;

ALTER TABLE "public"."metric_deltas" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."metric_deltas" SET (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=2000);

CREATE TABLE "public"."metric_totals" ("metric" text COLLATE pg_catalog."C" NOT NULL, "label" text COLLATE pg_catalog."C" NOT NULL, "events" bigint NOT NULL, "amount" double precision NOT NULL, CONSTRAINT "metric_totals_pkey" PRIMARY KEY (metric, label));

revoke all on "public"."metric_totals" from public, anon, authenticated, service_role;

ALTER TABLE "public"."metric_totals" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."metric_totals" SET (fillfactor=50);

CREATE OR REPLACE FUNCTION public.count_problems(p_counts jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_added integer;
begin
  if jsonb_typeof(p_counts) is distinct from 'object' or (select count(*) from jsonb_each(p_counts)) > 200
    or exists (select 1 from jsonb_each_text(p_counts) c
      where c.key !~ '^[a-z][a-z0-9_]{0,62}$' or c.value !~ '^[1-9][0-9]{0,8}$')
  then
    perform sediment.fail('invalid_request', 400, 'p_counts is not an object of codes and counts');
  end if;
  insert into public.metric_deltas (metric, label, events)
  select 'problems', c.key, c.value::bigint from jsonb_each_text(p_counts) c;
  get diagnostics v_added = row_count;
  return jsonb_build_object('added', v_added);
end $function$;

revoke all on function "public"."count_problems"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.read_metrics()
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  -- the planner makes no index condition of the volatile clock_timestamp()
  v_now constant timestamptz := clock_timestamp();
  v_top constant integer := 10000;
begin
  return jsonb_build_object(
    'counters', (
      select coalesce(jsonb_agg(to_jsonb(c) order by c.metric, c.label), '[]')
      from (
        select x.metric, x.label, sum(x.events)::bigint as events, sum(x.amount) as amount
        from (
          select t.metric, t.label, t.events, t.amount from public.metric_totals t
          union all
          select d.metric, d.label, d.events, d.amount from public.metric_deltas d
        ) x
        group by x.metric, x.label
      ) c),
    'queues', (
      select jsonb_agg(jsonb_build_object('queue', q.queue, 'messages', q.messages, 'due', q.due,
        'oldest_due_seconds', coalesce(greatest(extract(epoch from v_now - q.oldest_due_at), 0), 0)) order by q.queue)
      from public.queue_status q),
    'debt', (
      select jsonb_build_object('partitions', count(*),
        'oldest_seconds', coalesce(greatest(extract(epoch from v_now - min(x.debt_oldest)), 0), 0))
      from (select p.debt_oldest from public.partitions p where p.debt_oldest is not null
        order by p.debt_oldest limit v_top) x),
    'due_partitions', (select count(*) from (
      select 1 from public.partitions p where p.due_at <= v_now and p.msg_id is null limit v_top) x),
    'dead_partitions', (select count(*) from (
      select 1 from public.partitions p where p.dead_since is not null and p.debt_oldest is not null limit v_top) x),
    'leases', (select count(*) from public.partitions p where p.lease_expires_at > v_now),
    'max_workers', (select s.max_workers from public.service_settings s),
    'breaker_open', (select b.state <> 'closed' from public.circuit_breaker b),
    'incidents', (select coalesce(jsonb_agg(jsonb_build_object('name', i.name, 'open', i.state = 'open')
      order by i.name), '[]') from public.incidents i),
    'dead_letters', (select count(*) from (
      select 1 from public.dead_letters l where l.resolved_at is null limit v_top) x),
    'quarantined_files', (select count(*) from (
      select 1 from public.battle_files f where f.state = 'quarantined' and f.removed_version is null limit v_top) x),
    'lost_files', (select count(*) from (
      select 1 from public.battle_files f where f.lost_since is not null and f.removed_version is null limit v_top) x),
    'deletions', (select count(*) from (
      select 1 from public.deletions d where d.forgotten_at is null and d.state in ('pending', 'marked')
      limit v_top) x),
    'alerts_pending', (select count(*) from (select 1 from public.alerts a where a.state = 'pending' limit v_top) x),
    'store_findings', (select count(*) from (select 1 from public.store_findings limit v_top) x),
    'objects', (
      with n as (
        select
          (select count(*) from (select 1 from public.objects o
            where o.state = 'staged' and o.put_deadline is not null limit v_top) x) as staged,
          (select count(*) from (select 1 from public.objects o
            where o.delete_after is not null limit v_top) x) as deleting,
          (select count(*) from (select 1 from public.objects o
            where o.state = 'tombstone' and o.delete_after is null limit v_top) x) as tombstones,
          (select greatest(c.reltuples, 0)::bigint from pg_catalog.pg_class c
            where c.oid = 'public.objects'::regclass) as rows
      )
      select jsonb_build_array(
        jsonb_build_object('state', 'staged', 'objects', n.staged),
        jsonb_build_object('state', 'deleting', 'objects', n.deleting),
        jsonb_build_object('state', 'tombstone', 'objects', n.tombstones),
        jsonb_build_object('state', 'stored', 'objects', greatest(n.rows - n.staged - n.deleting - n.tombstones, 0)))
      from n),
    'tables', (
      select jsonb_agg(jsonb_build_object('table', c.relname, 'bytes', pg_catalog.pg_total_relation_size(c.oid),
        'rows', greatest(c.reltuples, 0)::bigint) order by c.relname)
      from pg_catalog.pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
        and c.relname in ('alerts', 'assets', 'battle_files', 'dataset_versions', 'datasets', 'dead_letters', 'deletions',
          'file_schemas', 'idempotency_keys', 'metric_deltas', 'objects', 'partitions', 'processing_metrics', 'run_commits', 'uploads'))
  );
end $function$;

revoke all on function "public"."read_metrics"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.bucket_of(p_seconds double precision, p_bounds double precision[])
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select coalesce((select min(b) from unnest(p_bounds) b where b >= p_seconds)::text, '+Inf')
$function$;

revoke all on function "sediment"."bucket_of"(double precision, double precision[]) from public, anon, authenticated, service_role;

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

  insert into public.metric_deltas (metric, label, events, amount)
  select 'uploads', x.outcome, count(*), sum(x.size)
  from (
    select c.size, case when c.outcome is null then 'stored' when c.outcome #>> '{answer,healed}' = 'true' then 'healed'
      else 'duplicate' end as outcome
    from unnest(v_calls) as c where c.outcome is null or c.outcome ? 'answer'
  ) x
  group by x.outcome;

  for i in 1 .. cardinality(v_calls) loop
    v_out[i] := coalesce(v_calls[i].outcome, jsonb_build_object('answer', v_answers -> i::text));
  end loop;
  return v_out;
end $function$;

CREATE OR REPLACE FUNCTION sediment.count_run()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_outcome constant text := case
    when new.operation = 'fan_out' then 'fan_out'
    when new.status <> 'success' then new.status
    when new.files_before > 0 then 'merged'
    when new.output ? 'joined' then 'joined'
    else 'idle' end;
  v_seconds constant double precision := extract(epoch from new.completed_at - new.started_at);
  v_lag constant double precision := extract(epoch from new.completed_at - new.queued_at);
begin
  insert into public.metric_deltas (metric, label, events, amount)
  select x.metric, x.label, x.events, x.amount
  from (values
    ('runs', v_outcome, 1::bigint, 0::double precision),
    ('run_seconds', case when v_seconds is not null and v_outcome <> 'fan_out' then
      sediment.bucket_of(v_seconds, '{0.1,0.25,0.5,1,2.5,5,10,30,60,300}') end, 1, v_seconds),
    ('merge_lag_seconds', case when v_outcome = 'merged' then
      sediment.bucket_of(v_lag, '{1,5,15,60,300,900,3600,21600,86400,604800}') end, 1, v_lag),
    ('merged_files', case when new.files_before > 0 then 'input' end, new.files_before, new.bytes_before),
    ('merged_files', case when new.files_before > 0 then 'output' end, new.files_after, new.bytes_after),
    ('quarantined_files', case when new.files_quarantined > 0 then '' end, new.files_quarantined, 0)
  ) as x(metric, label, events, amount)
  where x.label is not null;
  return null;
end $function$;

revoke all on function "sediment"."count_run"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.fold_metrics()
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_folded integer;
begin
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('sediment.fold_metrics', 0)) then
    return 0;
  end if;
  with gone as (
    delete from public.metric_deltas d where true returning d.metric, d.label, d.events, d.amount
  ), sums as (
    select g.metric, g.label, sum(g.events)::bigint as events, sum(g.amount) as amount, count(*)::integer as n
    from gone g group by g.metric, g.label
  ), added as (
    insert into public.metric_totals as t (metric, label, events, amount)
    select s.metric, s.label, s.events, s.amount from sums s
    on conflict (metric, label) do update set events = t.events + excluded.events, amount = t.amount + excluded.amount
    returning 1
  )
  select coalesce(sum(s.n), 0)::integer into strict v_folded from sums s;
  return v_folded;
end $function$;

revoke all on function "sediment"."fold_metrics"() from public, anon, authenticated, service_role;

CREATE TRIGGER count_run AFTER UPDATE OF completed_at ON public.processing_metrics FOR EACH ROW WHEN (((old.completed_at IS NULL) AND (new.completed_at IS NOT NULL))) EXECUTE FUNCTION sediment.count_run();

CREATE POLICY "service_all" ON "public"."metric_deltas" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."metric_totals" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON TABLE "public"."metric_deltas" IS 'What counters have counted since they were added up last.';

COMMENT ON TABLE "public"."metric_totals" IS 'The counters of GET /compaction/metrics; they only rise.';

REVOKE ALL ON FUNCTION "public"."count_problems"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."count_problems"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "public"."read_metrics"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."read_metrics"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."bucket_of"(double precision, double precision[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."bucket_of"(double precision, double precision[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."count_run"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."count_run"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."fold_metrics"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."fold_metrics"() TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."metric_deltas" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."metric_totals" TO "service_role";

select cron.schedule('sediment_metrics', '* * * * *', 'select sediment.fold_metrics()');
