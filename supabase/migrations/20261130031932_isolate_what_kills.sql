-- Files that kill are narrowed down to, and the clockwork notes its gaps.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "public"."stage_output"(uuid, integer, bigint, bigint);

DROP FUNCTION "sediment"."list_inputs"(uuid, text, text, bigint, integer);

CREATE TABLE "public"."clockwork" ("id" boolean NOT NULL DEFAULT true, "beat_at" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone, "gap_ended_at" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone, CONSTRAINT "clockwork_id_check" CHECK (id), CONSTRAINT "clockwork_pkey" PRIMARY KEY (id));

revoke all on "public"."clockwork" from public, anon, authenticated, service_role;

ALTER TABLE "public"."clockwork" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."partitions" ADD COLUMN "staged_inputs" bigint[];

ALTER TABLE "public"."partitions" ADD COLUMN "isolation" jsonb;

ALTER TABLE "public"."partitions" ADD COLUMN "output_cap_bytes" bigint;

ALTER TABLE "public"."service_settings" ADD COLUMN "clockwork_gap_seconds" integer NOT NULL DEFAULT 180;

CREATE OR REPLACE FUNCTION public.catalog_health()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_queues jsonb := '{}';
  v_queue text;
  v_leases integer;
  v_debt integer;
  v_reasons text[] := '{}';
  v_breaker public.circuit_breaker;
begin
  foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
    v_queues := v_queues || jsonb_build_object(v_queue, jsonb_build_object(
      'due', (select count(*) from sediment.queue_ready(v_queue, 100)),
      'oldest_due_at', (select min(m.vt) from sediment.queue_messages m
        where m.queue = v_queue and m.vt <= v_now)));
  end loop;
  select count(*) into strict v_leases from (
    select 1 from public.partitions p where p.lease_expires_at < v_now - interval '2 minutes' limit 100) x;
  select count(*) into strict v_debt from (
    select 1 from public.partitions p
    where p.due_at < v_now - interval '5 minutes' and p.msg_id is null limit 100) x;
  select * into strict v_breaker from public.circuit_breaker;
  v_reasons := sediment.clockwork_faults() || array_remove(array[
    case when v_breaker.state = 'open' then 'breaker_open' end,
    case when current_setting('transaction_read_only') = 'on' or pg_catalog.pg_is_in_recovery() then 'read_only' end,
    case when v_leases > 0 then 'leases_overdue' end,
    case when v_debt > 0 then 'debt_overdue' end,
    case when v_breaker.state = 'closed' and (select s.max_workers from public.service_settings s) > 0
      and exists (select 1 from public.partitions p where p.msg_id is not null and p.lease_expires_at is null
        and p.ready_at < v_now - interval '90 seconds')
      and not exists (select 1 from public.partitions p where p.lease_expires_at is not null
        and p.claimed_at > v_now - interval '90 seconds') then 'work_waits' end], null);
  return jsonb_build_object('ok', cardinality(v_reasons) = 0, 'reasons', to_jsonb(v_reasons), 'breaker',
    case when v_breaker.state = 'open' then format('%s since %s: %s', v_breaker.part, v_breaker.opened_at,
      v_breaker.error_message) end, 'queues', v_queues,
    'leases', (select count(*) from public.partitions p where p.lease_expires_at > v_now),
    'overdue_leases', v_leases, 'overdue_debt', v_debt,
    'dead_letters', (select count(*) from (
      select 1 from public.dead_letters l where l.resolved_at is null limit 100) x),
    'oldest_debt', (select min(p.debt_oldest) from public.partitions p where p.debt_oldest is not null),
    'postgres', current_setting('server_version'),
    'pgmq', (select e.extversion from pg_catalog.pg_extension e where e.extname = 'pgmq'));
end $function$;

CREATE OR REPLACE FUNCTION public.commit_compaction(p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_last boolean, p_result jsonb, p_input_keys text[] DEFAULT NULL::text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  r public.processing_metrics;
  v_result jsonb := coalesce(p_result, '{}');
  v_inputs bigint[] := coalesce(p_inputs, '{}');
  v_more boolean := coalesce((p_result ->> 'more')::boolean, false);
  v_replaced jsonb := '{}';
  v_now timestamptz;
  v_lease timestamptz;
  v_overtime boolean := false;
  v_requeued boolean := false;
  v_status text;
  v_answer jsonb;
begin
  if p_n is null or p_n < 0 or p_last is null or (p_output is not null and jsonb_typeof(p_output) <> 'object')
    or (p_output is not null and cardinality(v_inputs) = 0)
    or (p_output is null and not p_last and cardinality(v_inputs) = 0)
  then
    perform sediment.fail('invalid_request', 400, 'the commit is empty or not well formed');
  end if;
  if p_output is not null then
    perform sediment.keep_schemas(array[p_output ->> 'schema_fingerprint'], array[p_output -> 'schema']);
  end if;

  p := sediment.lock_run_partition(p_run);
  select c.answer into v_answer from public.run_commits c where c.run_id = p_run and c.ordinal = p_n;
  if found then
    return v_answer || jsonb_build_object('replayed', true);
  end if;
  perform sediment.check_token(p, p_run, p_token);
  select * into strict r from public.processing_metrics x where x.id = p_run;
  if p_n <> r.commits then
    perform sediment.fail('invalid_request', 400, format('the next commit of run %s is %s, not %s',
      p_run, r.commits, p_n));
  end if;

  if cardinality(v_inputs) > 0 then
    update public.partitions x set staged_inputs = null
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    if p.isolation is not null then
      perform sediment.pass_trial(p, v_inputs, true);
    end if;
    v_replaced := sediment.replace_files(p, p_run, p_n, p_token, v_inputs, p_output,
      p_input_keys);
  end if;
  update public.processing_metrics x
  set commits = x.commits + 1, decision = coalesce(v_result ->> 'decision', x.decision),
    steps_ms = x.steps_ms || coalesce(v_result -> 'steps_ms', '{}'),
    progress = coalesce(nullif(v_result -> 'progress', 'null'), x.progress),
    steps = case when p_last and not v_more then '{}' else x.steps end
  where x.id = p_run
  returning * into strict r;

  v_now := clock_timestamp();
  -- The store was read and written: whoever failed before had no part in an outage.
  if p_output is not null and exists (select 1 from public.circuit_breaker b where b.suspect is not null) then
    update public.circuit_breaker b set suspect = null, suspect_at = null
    where b.ctid = any (array(select x.ctid from public.circuit_breaker x where x.state = 'closed'
      for no key update skip locked));
  end if;
  if p_last and v_more and (cardinality(v_inputs) > 0 or r.attempts = 0) then
    -- The run has had its time (what is left is less than a lease) and committed something in it: it ends well, and
    -- another goes on with the rest.
    select sediment.add_work(p) + least(s.lease_seconds, s.max_run_seconds / 2) >= s.max_run_seconds
    into strict v_overtime from public.service_settings s;
  end if;
  if not p_last then
    v_lease := sediment.extend_lease(p, null);
  elsif v_more and cardinality(v_inputs) = 0 and r.attempts > 0 then
    -- The turn ended and nothing was committed since the claim: that is a failed attempt, or it never ends.
    perform sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'run_timeout',
      'the turn ended before anything could be committed', r.step, false);
    v_requeued := true;
  elsif v_overtime then
    v_requeued := sediment.close_run(p, true, v_result || jsonb_build_object('next_due_at', v_now));
    -- what was forced stays so for the run that goes on
    update public.partitions x set done_seq = p.done_seq
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  elsif v_more then
    update public.processing_metrics x set status = 'queued' where x.id = p_run;
    perform sediment.queue_hide(p.queue, p.msg_id, v_now + interval '1 second');
    update public.partitions x
    set lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
      claimed_debt_files = null, claimed_debt_bytes = null, ready_at = v_now,
      last_decision = coalesce(v_result ->> 'decision', x.last_decision), last_considered_at = v_now
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    perform sediment.raise_waiting(p, 0);
    v_requeued := true;
  else
    v_requeued := sediment.close_run(p, r.files_before > 0, v_result);
  end if;

  select x.status into strict v_status from public.processing_metrics x where x.id = p_run;
  v_answer := jsonb_build_object('version', v_replaced -> 'version', 'file_id', v_replaced -> 'file_id',
    'run_status', v_status, 'requeued', v_requeued, 'replayed', false, 'commits', r.commits,
    'lease_expires_at', v_lease, 'lease_seconds',
    case when v_lease is not null then greatest(0, extract(epoch from v_lease - clock_timestamp())) end);
  insert into public.run_commits (run_id, ordinal, token, file_id, object_key, answer)
  values (p_run, p_n, p_token, (v_replaced ->> 'file_id')::bigint, p_output ->> 'object_key', v_answer);
  return v_answer;
end $function$;

CREATE OR REPLACE FUNCTION public.expire_leases(p_limit integer DEFAULT 200)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  p public.partitions;
  v_expired integer := 0;
  v_dead integer := 0;
  v_now timestamptz := clock_timestamp();
begin
  perform sediment.beat_clockwork();
  for p in
    select * from public.partitions x where x.lease_expires_at <= v_now
    order by x.lease_expires_at limit p_limit
    for no key update skip locked
  loop
    v_expired := v_expired + 1;
    if sediment.lose_worker(p) ->> 'status' = 'dead'
    then
      v_dead := v_dead + 1;
    end if;
  end loop;
  return jsonb_build_object('expired', v_expired, 'dead', v_dead, 'more', v_expired = p_limit);
end $function$;

CREATE OR REPLACE FUNCTION public.list_files(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_from text DEFAULT NULL::text, p_to text DEFAULT NULL::text, p_version bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_version bigint;
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_files jsonb;
  v_more boolean;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.own_dataset(p_user, p_dataset);
  v_version := coalesce((v_cursor ->> 'v')::bigint, p_version, d.version);
  if v_version < d.oldest_kept_version then
    perform sediment.fail('version_gone', 410, format('version %s is no longer kept', v_version),
      format('%s or later', d.oldest_kept_version));
  end if;
  if v_version > d.version then
    perform sediment.fail('version_unknown', 404, format('there is no version %s', v_version),
      format('at most %s', d.version));
  end if;
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile.
  with page as (
    (select f.* from public.battle_files f
      where f.dataset_id = d.id and f.removed_version is null and f.added_version <= v_version
        and (p_table is null or f."table" = p_table) and (p_period_tag is null or f.period_tag = p_period_tag)
        and (p_from is null or f.period_tag >= p_from) and (p_to is null or f.period_tag <= p_to)
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    union all
    (select f.* from public.battle_files f
      where f.dataset_id = d.id and f.removed_version > v_version and f.added_version <= v_version
        and (p_table is null or f."table" = p_table) and (p_period_tag is null or f.period_tag = p_period_tag)
        and (p_from is null or f.period_tag >= p_from) and (p_to is null or f.period_tag <= p_to)
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    order by "table", period_tag, seq_min limit v_limit + 1
  ), kept as (
    select * from page order by "table", period_tag, seq_min limit v_limit
  )
  select coalesce(jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'table', k."table", 'period_tag', k.period_tag, 'size', k.byte_length, 'level', k.level, 'state', k.state,
      'lost', k.lost_since is not null,
      'quarantine_code', k.quarantine_code, 'quarantine_reason', k.quarantine_reason,
      'row_count', k.row_count, 'row_group_count', k.row_group_count,
      'uncompressed_bytes', k.uncompressed_bytes, 'schema_fingerprint', k.schema_fingerprint,
      'stats', k.stats, 'etag', k.etag, 'seq_min', k.seq_min, 'seq_max', k.seq_max,
      'uploaded_at', k.uploaded_at, 'added_version', k.added_version)
      order by k."table", k.period_tag, k.seq_min), '[]'),
    (select count(*) > v_limit from page)
  into strict v_files, v_more from kept k;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'files', v_files, 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_files -> -1 -> 'table', 'p', v_files -> -1 -> 'period_tag',
      's', v_files -> -1 -> 'seq_min')) end);
end $function$;

CREATE OR REPLACE FUNCTION public.schema_version()
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select to_jsonb(2)
$function$;

CREATE OR REPLACE FUNCTION public.stage_output(p_run uuid, p_n integer, p_token bigint, p_expected_bytes bigint, p_inputs bigint[] DEFAULT NULL::bigint[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_done public.run_commits;
  v_key text;
  v_state text;
  v_settings public.service_settings;
  v_deadline timestamptz;
begin
  if p_n is null or p_n < 0 then
    perform sediment.fail('invalid_request', 400, format('p_n is %s', p_n));
  end if;
  if p_expected_bytes is null or p_expected_bytes < 0 then
    perform sediment.fail('invalid_request', 400, format('p_expected_bytes is %s', p_expected_bytes));
  end if;
  p := sediment.lock_run_partition(p_run);
  select * into v_done from public.run_commits c where c.run_id = p_run and c.ordinal = p_n;
  if found then
    return jsonb_build_object('object_key', v_done.object_key, 'expires_at', null, 'committed', true,
      'answer', v_done.answer || jsonb_build_object('replayed', true));
  end if;
  perform sediment.check_token(p, p_run, p_token);

  update public.partitions x set staged_inputs = p_inputs
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;

  -- No lease lives longer than max_run_seconds after its claim; a PUT may be under way when it ends.
  select * into strict v_settings from public.service_settings;
  v_deadline := p.claimed_at + make_interval(secs => v_settings.max_run_seconds + v_settings.max_put_seconds);
  v_key := format('battle_compacted/%s/%s/%s/%s-%s-%s.parquet', p.dataset_id, p."table", p.period_tag, p_run,
    p_token, p_n);
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, dataset_id, "table", period_tag,
    run_id, run_ordinal, token)
  values (v_key, 'compacted', p_expected_bytes, v_deadline, v_deadline, p.dataset_id, p."table", p.period_tag,
    p_run, p_n, p_token)
  on conflict (object_key) do nothing;

  select o.state into strict v_state from public.objects o where o.object_key = v_key;
  if v_state <> 'staged' then
    perform sediment.fail('lease_lost', 409, format('%s was given up', v_key));
  end if;
  return jsonb_build_object('object_key', v_key, 'expires_at', v_deadline, 'committed', false, 'answer', null);
end $function$;

revoke all on function "public"."stage_output"(uuid, integer, bigint, bigint, bigint[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.add_work(p public.partitions)
 RETURNS double precision
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_sum double precision;
begin
  update public.processing_metrics r
  set worked_seconds = r.worked_seconds + case when p.isolation is not null then 0 else 1 end * coalesce(greatest(0, extract(epoch from
    least(clock_timestamp(), p.lease_expires_at) - p.claimed_at)), 0)
  where r.id = p.run_id
  returning r.worked_seconds into strict v_sum;
  return v_sum;
end $function$;

CREATE OR REPLACE FUNCTION sediment.beat_clockwork()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
begin
  update public.clockwork c
  set beat_at = v_now, gap_ended_at = case when c.beat_at < v_now - make_interval(secs =>
    (select s.clockwork_gap_seconds from public.service_settings s)) then v_now else c.gap_ended_at end
  where c.ctid = any (array(select x.ctid from public.clockwork x for no key update skip locked));
end $function$;

revoke all on function "sediment"."beat_clockwork"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.claim_message(p_queue text, p_msg_id bigint, p_message jsonb, p_worker text, p_lease_seconds integer, p_slot integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_msg record;
  p public.partitions;
  v_run public.processing_metrics;
  v_settings jsonb;
  v_now timestamptz;
  v_until timestamptz;
  v_trial bigint[];
begin
  select * into v_msg from sediment.parse_message(p_message);
  if v_msg.problem is not null then
    if sediment.queue_take(p_queue, p_msg_id) then
      perform sediment.reject_message(p_queue, p_msg_id, p_message, v_msg.problem);
    end if;
    return null;
  end if;
  if v_msg."table" is null then
    return null; -- a fan-out: claim_compaction handles it before anything is locked
  end if;

  select * into p from public.partitions x
  where x.dataset_id = v_msg.dataset_id and x."table" = v_msg."table" and x.period_tag = v_msg.period_tag
  for no key update skip locked;
  if not found then
    if not exists (select 1 from public.partitions x where x.dataset_id = v_msg.dataset_id
        and x."table" = v_msg."table" and x.period_tag = v_msg.period_tag)
      and sediment.queue_take(p_queue, p_msg_id)
    then
      perform sediment.reject_message(p_queue, p_msg_id, p_message, 'there is no such partition');
    end if;
    return null;
  end if;

  -- Not the partition's live message: either it was archived since we looked, or somebody sent it by hand;
  -- then it counts as a request and joins.
  if p.msg_id is distinct from p_msg_id or p.queue is distinct from p_queue then
    if sediment.queue_take(p_queue, p_msg_id) then
      perform sediment.queue_archive(p_queue, p_msg_id);
      update public.partitions x set demand_seq = x.demand_seq + 1
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, v_msg.priority, 'message', 0);
    end if;
    return null;
  end if;

  v_now := clock_timestamp();
  if p.lease_expires_at > v_now then
    perform sediment.queue_hide(p_queue, p_msg_id, p.lease_expires_at);
    return null;
  end if;
  if p.lease_expires_at is not null then
    perform sediment.lose_worker(p);
    return null;
  end if;
  if p.ready_at > v_now then
    perform sediment.queue_hide(p_queue, p_msg_id, p.ready_at); -- it failed since we looked, and waits
    return null;
  end if;

  v_settings := sediment.settings_of(p.dataset_id, p."table");
  if p.output_cap_bytes is not null then
    v_settings := v_settings || jsonb_build_object('target_file_bytes',
      least(p.output_cap_bytes, (v_settings ->> 'target_file_bytes')::bigint));
  end if;
  if p.isolation is not null then
    -- what has left meanwhile is nobody's suspect
    select coalesce(array_agg(x.id), '{}') into strict v_trial from (
      select f.id from jsonb_array_elements_text(p.isolation -> 'suspects') with ordinality as s(id, n)
      join public.battle_files f on f.id = s.id::bigint and f.removed_version is null and f.state = 'active'
      order by s.n limit (p.isolation ->> 'trial')::integer) x;
    if v_trial = '{}' then
      update public.partitions x set isolation = null
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
      v_trial := null;
    else
      p_lease_seconds := least(p_lease_seconds, 60);
    end if;
  end if;
  select v_now + make_interval(secs => least(p_lease_seconds,
    greatest((v_settings ->> 'max_run_seconds')::integer - r.worked_seconds, 1)))
  into strict v_until from public.processing_metrics r where r.id = p.run_id;
  update public.partitions x
  set token = x.token + 1, lease_worker = p_worker, lease_slot = p_slot, staged_inputs = null, claimed_at = v_now, lease_expires_at = v_until,
    ready_at = v_until, claimed_demand_seq = x.demand_seq, claimed_debt_files = x.debt_files,
    claimed_debt_bytes = x.debt_bytes
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
  returning * into strict p;
  perform sediment.queue_hide(p_queue, p_msg_id, p.lease_expires_at);
  update public.processing_metrics r
  set status = 'running', step = 'validate-dataset', attempts = r.attempts + 1, worker = p_worker, started_at = coalesce(r.started_at, v_now)
  where r.id = p.run_id
  returning * into strict v_run;

  return jsonb_build_object(
    'claimed', true, 'run_id', p.run_id, 'dataset_id', p.dataset_id, 'table', p."table",
    'period_tag', p.period_tag, 'user_id', v_run.user_id, 'priority', v_run.priority, 'token', p.token,
    'lease_expires_at', p.lease_expires_at,
    'lease_seconds', extract(epoch from p.lease_expires_at - v_now), 'claimed_at', v_now, 'attempt', v_run.attempts, 'demand_seq', p.demand_seq,
    'forced', p.forced_seq > p.done_seq or v_trial is not null, 'trial', v_trial is not null, 'outputs_committed', v_run.commits, 'settings', v_settings,
    'steps', v_run.steps)
    || sediment.list_inputs(p.dataset_id, p."table", p.period_tag, -1, 2000, v_trial);
end $function$;

CREATE OR REPLACE FUNCTION sediment.clockwork_faults()
 RETURNS text[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs constant text[] := array['sediment_tick', 'sediment_leases', 'sediment_sweep', 'sediment_history',
    'sediment_scheduled', 'sediment_vacuum', 'sediment_dead_letters'];
  v_faults text[] := '{}';
begin
  begin
    -- a timeout alone is no fault: a ping does not wait for the work
    if exists (select 1 from net._http_response r where r.created > clock_timestamp() - interval '5 minutes'
        and r.status_code >= 400)
      and not exists (select 1 from net._http_response r where r.created > clock_timestamp() - interval '5 minutes'
        and r.status_code between 200 and 299)
    then
      v_faults := v_faults || 'pings_refused'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  begin
    if (select count(*) from cron.job j where j.jobname = any (v_jobs) and j.active) < cardinality(v_jobs) then
      v_faults := v_faults || 'jobs_missing'::text;
    end if;
    if exists (
      select 1 from cron.job j
      cross join lateral (select bool_and(d.status = 'failed') as failed, count(*) as runs from (
        select x.status from cron.job_run_details x where x.jobid = j.jobid and x.status in ('succeeded', 'failed')
        order by x.runid desc limit 3) d) l
      where j.jobname = any (v_jobs) and l.runs = 3 and l.failed)
    then
      v_faults := v_faults || 'jobs_failing'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  return v_faults;
end $function$;

revoke all on function "sediment"."clockwork_faults"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.close_run(p public.partitions, p_progress boolean, p_result jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_moved boolean := p.demand_seq > p.claimed_demand_seq;
  v_files bigint := greatest(coalesce((p_result #>> '{debt,files}')::bigint, 0), 0);
  v_bytes bigint := greatest(coalesce((p_result #>> '{debt,bytes}')::bigint, 0), 0);
  v_oldest timestamptz;
  v_due timestamptz := (p_result ->> 'next_due_at')::timestamptz;
  v_look interval := (select make_interval(secs => s.second_look_seconds) from public.service_settings s);
  v_unseen boolean := coalesce((p_result ->> 'unseen')::boolean, false);
  v_planner integer := coalesce((p_result ->> 'planner')::integer, 0);
  v_idle_runs integer := 0;
  v_next uuid := p.next_run_id;
  v_priority text := 'realtime';
begin
  update public.processing_metrics r
  set status = 'success', completed_at = v_now, step = null, error_code = null, error_message = null,
    error_step = null, output = p_result -> 'output'
  where r.id = p.run_id;
  perform sediment.queue_archive(p.queue, p.msg_id);
  update public.dead_letters l set resolved_at = v_now, resolution = 'succeeded'
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null;

  -- Debt is what the planner said, and what was uploaded since the claim.
  v_oldest := case when v_files > 0 then coalesce((p_result #>> '{debt,oldest}')::timestamptz, p.claimed_at) end;
  if v_moved and p.debt_files > p.claimed_debt_files then
    v_oldest := least(coalesce(v_oldest, p.claimed_at), p.claimed_at);
  end if;
  v_files := v_files + p.debt_files - p.claimed_debt_files;
  v_bytes := v_bytes + p.debt_bytes - p.claimed_debt_bytes;
  -- Never is not the same as not yet: without debt, a time to wait for, or files that nobody looked at, nothing is due.
  if v_due is null and (v_files > 0 or v_unseen) then
    v_due := v_now;
  end if;
  -- Of what workers may have died this run has got over what it took on; the rest is tried at once.
  if p.isolation is not null then
    perform sediment.pass_trial(p, array(select x.id::bigint
      from jsonb_array_elements_text(p.isolation -> 'suspects') with ordinality as x(id, n)
      order by x.n limit (p.isolation ->> 'trial')::integer), false);
  end if;
  if exists (select 1 from public.partitions x where x.dataset_id = p.dataset_id and x."table" = p."table"
      and x.period_tag = p.period_tag and x.isolation is not null)
  then
    v_due := v_now;
  end if;
  -- what waits for its second look
  select least(v_due, min(f.lost_since) + v_look) into v_due
  from public.battle_files f
  where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
    and f.removed_version is null and f.state = 'active' and f.lost_since > v_now - v_look;
  -- A run that changed nothing is not repeated at once, whatever it says, and each further one later.
  if v_due is not null and not p_progress then
    v_idle_runs := case when v_moved then 0 else p.idle_runs + 1 end;
    v_due := greatest(v_due, v_now + make_interval(secs => least(86400, (
      select s.idle_recheck_seconds * power(2, least(greatest(v_idle_runs - 1, 0), 20)) from public.service_settings s))));
  end if;
  update public.service_settings s set planner_version = v_planner, plan_changed_at = v_now
  where s.planner_version < v_planner;

  update public.partitions x
  set queue = null, msg_id = null, run_id = null, next_run_id = null, ready_at = null,
    lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
    claimed_debt_files = null, claimed_debt_bytes = null, done_seq = p.claimed_demand_seq,
    debt_files = v_files, debt_bytes = v_bytes, debt_oldest = v_oldest, due_at = v_due, dead_since = null,
    dead_looks = 0, idle_runs = v_idle_runs,
    plan_digest = case when v_unseen then null else sediment.plan_digest(p.dataset_id, p."table", v_planner) end,
    last_decision = p_result ->> 'decision', last_considered_at = v_now
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;

  if not v_moved then
    -- whoever waited behind this run was seen by it all the same (it was claimed again since)
    update public.processing_metrics r
    set status = 'success', completed_at = v_now, decision = 'joined run ' || p.run_id,
      output = jsonb_build_object('joined', p.run_id)
    where r.id = v_next;
  elsif v_next is null then
    v_next := sediment.open_run(p.dataset_id, p."table", p.period_tag, v_priority, 'follow_up');
    perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  else
    select r.priority into strict v_priority from public.processing_metrics r where r.id = v_next;
    perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  end if;

  if p_progress and v_due <= v_now then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
    return true;
  end if;
  return false;
end $function$;

CREATE OR REPLACE FUNCTION sediment.list_inputs(p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer, p_only bigint[] DEFAULT NULL::bigint[])
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (with page as (
    select f.* from public.battle_files f
    where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
      and f.removed_version is null and f.seq_min > p_after and (p_only is null or f.id = any (p_only))
    order by f.seq_min
    limit p_limit + 1
  ), kept as (
    select * from page order by seq_min limit p_limit
  )
  select jsonb_build_object(
    'files', coalesce((select jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'level', k.level, 'seq_min', k.seq_min, 'seq_max', k.seq_max, 'row_count', k.row_count,
      'row_group_count', k.row_group_count, 'uncompressed_bytes', k.uncompressed_bytes,
      'value_count', k.value_count, 'merge_facts', k.merge_facts, 'schema_fingerprint', k.schema_fingerprint,
      'state', case when k.lost_since > clock_timestamp() - (select make_interval(secs => s.second_look_seconds)
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 'etag', k.etag, 'uploaded_at', k.uploaded_at) order by k.seq_min) from kept k), '[]'),
    'schemas', coalesce((select jsonb_object_agg(s.fingerprint, s.schema) from (
      select x.fingerprint, x.schema, row_number() over w as place, sum(pg_column_size(x.schema)) over w as bytes
      from (
        select k.schema_fingerprint, min(k.seq_min) as seq_min from kept k
        where k.state = 'active' group by k.schema_fingerprint
      ) d
      join public.file_schemas x on x.fingerprint = d.schema_fingerprint
      window w as (order by d.seq_min, x.fingerprint)
    ) s where s.place <= 100 and s.bytes <= 1048576), '{}'),
    'more', (select count(*) > p_limit from page),
    'cursor', case when (select count(*) > p_limit from page) then (select max(k.seq_min)::text from kept k) end));
end $function$;

revoke all on function "sediment"."list_inputs"(uuid, text, text, bigint, integer, bigint[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lose_worker(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_told constant text := format('worker %s did not renew its lease', p.lease_worker);
begin
  if exists (select 1 from public.circuit_breaker b where b.state = 'open' or b.closed_at >= p.claimed_at)
    or exists (select 1 from public.clockwork c where c.gap_ended_at >= p.claimed_at)
  then
    return sediment.return_run(p, 'lease_expired', v_told || ', in an outage', null, null);
  end if;
  if cardinality(p.staged_inputs) > 0 then
    return sediment.narrow_claim(p, v_told);
  end if;
  return sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'lease_expired', v_told, null, false);
end $function$;

revoke all on function "sediment"."lose_worker"(public.partitions) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.narrow_claim(p public.partitions, p_told text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_iso jsonb := p.isolation;
  v_dead bigint[];
  v_alone bigint;
  v_deaths integer;
  v_suspects bigint[];
  v_other bigint;
  v_trial integer;
  v_file public.battle_files;
  v_until timestamptz;
begin
  -- in upload order: halves of neighbours are neighbours, as tables that dedupe need it
  select coalesce(array_agg(f.id order by f.seq_min), '{}') into strict v_dead from public.battle_files f
  where f.id = any (p.staged_inputs) and f.removed_version is null and f.state = 'active';
  if v_iso is null then
    v_iso := jsonb_build_object('suspects', '[]'::jsonb, 'trial', 0, 'deaths', '{}'::jsonb, 'sound', false, 'bytes',
      (select coalesce(sum(f.byte_length), 0) from public.battle_files f where f.id = any (v_dead)));
  end if;
  select v_dead || coalesce(array_agg(x.id::bigint order by x.n), '{}') into strict v_suspects
  from jsonb_array_elements_text(v_iso -> 'suspects') with ordinality as x(id, n)
  where x.id::bigint <> all (v_dead);

  if cardinality(v_dead) <> 1 then
    v_trial := greatest(1, (cardinality(v_dead) + 1) / 2);
  else
    v_alone := v_dead[1];
    v_deaths := coalesce((v_iso #>> array['deaths', v_alone::text])::integer, 0) + 1;
    v_iso := jsonb_set(v_iso, array['deaths', v_alone::text], to_jsonb(v_deaths));
    if v_deaths = 1 then
      v_iso := v_iso || '{"sound": false}'; -- another must pass between the two deaths
    end if;
    v_trial := 1;
    if v_deaths >= 2 and (v_iso ->> 'sound')::boolean then
      update public.battle_files f
      set state = 'quarantined', quarantine_code = 'worker_died', quarantined_at = clock_timestamp(),
        quarantine_reason = format('%s workers died of it alone (%s rows, %s bytes, %s before compression) while '
          'another file passed alone; the last: %s', v_deaths, f.row_count, f.byte_length, f.uncompressed_bytes, p_told)
      where f.id = v_alone;
      update public.processing_metrics r set files_quarantined = r.files_quarantined + 1 where r.id = p.run_id;
      v_suspects := array_remove(v_suspects, v_alone);
      v_iso := v_iso || '{"bytes": 0}'; -- the culprit is found: it was not that they were too many
      v_trial := greatest(1, cardinality(v_suspects));
    elsif not (v_iso ->> 'sound')::boolean then
      -- a neighbour first: of the suspects, else of the partition
      select x.id into v_other from (
        select s.id, 0 as far, s.n from unnest(v_suspects) with ordinality as s(id, n)
        where not v_iso -> 'deaths' ? s.id::text
        union all
        select f.id, 1, abs(f.seq_min - (select y.seq_min from public.battle_files y where y.id = v_alone))
        from public.battle_files f
        where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
          and f.removed_version is null and f.state = 'active' and f.id <> all (v_suspects)
      ) x order by x.far, x.n limit 1;
      if v_other is not null then
        v_suspects := v_other || array_remove(v_suspects, v_other);
      elsif v_deaths >= 2 then
        update public.partitions x set isolation = v_iso || jsonb_build_object('suspects', to_jsonb(v_suspects), 'trial', 1)
        where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
        return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
          sediment.bury_run(p.dataset_id, p."table", p.period_tag, 'worker_died',
            format('%s workers died of file %s, and there is no other to compare with; the last: %s', v_deaths, v_alone,
              p_told), null));
      end if;
    end if;
  end if;

  v_until := clock_timestamp() + interval '1 second';
  update public.processing_metrics r
  set status = 'queued', attempts = 0, error_code = 'lease_expired', error_message = left(p_told, 2000),
    first_failed_at = coalesce(r.first_failed_at, clock_timestamp()), last_failed_at = clock_timestamp()
  where r.id = p.run_id;
  update public.partitions x
  set isolation = case when cardinality(v_suspects) > 0
      then v_iso || jsonb_build_object('suspects', to_jsonb(v_suspects), 'trial', v_trial) end,
    last_decision = format('narrowing down what workers die of: %s of %s files next', v_trial, cardinality(v_suspects))
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.requeue_run(p, v_until);
  return jsonb_build_object('status', 'retry', 'retry_at', v_until, 'dead_letter_id', null);
end $function$;

revoke all on function "sediment"."narrow_claim"(public.partitions, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.pass_trial(p public.partitions, p_passed bigint[], p_merged boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_iso jsonb;
  v_suspects bigint[];
begin
  select x.isolation into strict v_iso from public.partitions x
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  if v_iso is null then
    return;
  end if;
  select coalesce(array_agg(x.id::bigint order by x.n), '{}') into strict v_suspects
  from jsonb_array_elements_text(v_iso -> 'suspects') with ordinality as x(id, n)
  where x.id::bigint <> all (p_passed);
  update public.partitions x
  set isolation = case when cardinality(v_suspects) > 0 then v_iso || jsonb_build_object('suspects',
      to_jsonb(v_suspects), 'sound', (v_iso ->> 'sound')::boolean or p_merged and cardinality(p_passed) = 1) end,
    output_cap_bytes = case when cardinality(v_suspects) = 0 and (v_iso ->> 'bytes')::bigint > 1
      then least(x.output_cap_bytes, (v_iso ->> 'bytes')::bigint / 2) else x.output_cap_bytes end
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
end $function$;

revoke all on function "sediment"."pass_trial"(public.partitions, bigint[], boolean) from public, anon, authenticated, service_role;

ALTER TABLE "public"."partitions" ADD CONSTRAINT "partitions_isolation_check" CHECK ((jsonb_typeof(isolation) = 'object'::text));

ALTER TABLE "public"."partitions" ADD CONSTRAINT "partitions_output_cap_bytes_check" CHECK ((output_cap_bytes > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_clockwork_gap_seconds_check" CHECK ((clockwork_gap_seconds > 0));

CREATE POLICY "service_all" ON "public"."clockwork" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON COLUMN "public"."service_settings"."clockwork_gap_seconds" IS 'A lease that ran out while the minutely jobs stood still for longer than this is no worker''s death. Unit: seconds. Default: 180 (3 min).';

COMMENT ON TABLE "public"."clockwork" IS 'One row: the heartbeat of the minutely jobs.';

REVOKE ALL ON FUNCTION "public"."stage_output"(uuid, integer, bigint, bigint, bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."stage_output"(uuid, integer, bigint, bigint, bigint[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."beat_clockwork"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."beat_clockwork"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."clockwork_faults"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."clockwork_faults"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."list_inputs"(uuid, text, text, bigint, integer, bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."list_inputs"(uuid, text, text, bigint, integer, bigint[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lose_worker"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lose_worker"(public.partitions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."narrow_claim"(public.partitions, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."narrow_claim"(public.partitions, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."pass_trial"(public.partitions, bigint[], boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."pass_trial"(public.partitions, bigint[], boolean) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."clockwork" TO "service_role";

-- rows that new tables begin with
insert into public.clockwork (id) values (true) on conflict (id) do nothing;
