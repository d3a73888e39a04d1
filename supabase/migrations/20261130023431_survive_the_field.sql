-- Four classes of failure, a breaker, slots, second looks, checksums and healing: what the field asked for.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."objects" DROP CONSTRAINT "objects_kind_check";

DROP FUNCTION "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb);

DROP FUNCTION "public"."fail_compaction"(uuid, bigint, text, text, text, boolean);

DROP FUNCTION "public"."quarantine_file"(uuid, bigint, bigint, text, text);

DROP FUNCTION "sediment"."claim_message"(text, bigint, jsonb, text, integer);

DROP FUNCTION "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb);

CREATE TABLE "public"."circuit_breaker" ("id" boolean NOT NULL DEFAULT true, "state" text NOT NULL DEFAULT 'closed'::text, "part" text, "error_code" text, "error_message" text, "suspect" text, "suspect_at" timestamp with time zone, "opened_at" timestamp with time zone, "closed_at" timestamp with time zone, "probe_at" timestamp with time zone, "probe_until" timestamp with time zone, "probe_token" bigint NOT NULL DEFAULT 0, "probe_key" text, "probes_passed" integer NOT NULL DEFAULT 0, "probes_failed" integer NOT NULL DEFAULT 0, CONSTRAINT "circuit_breaker_check" CHECK (((state = 'closed'::text) OR ((opened_at IS NOT NULL) AND (part IS NOT NULL) AND (probe_at IS NOT NULL)))), CONSTRAINT "circuit_breaker_id_check" CHECK (id), CONSTRAINT "circuit_breaker_part_check" CHECK ((part = ANY (ARRAY['store_read'::text, 'store_write'::text, 'catalog'::text]))), CONSTRAINT "circuit_breaker_pkey" PRIMARY KEY (id), CONSTRAINT "circuit_breaker_state_check" CHECK ((state = ANY (ARRAY['closed'::text, 'open'::text]))));

revoke all on "public"."circuit_breaker" from public, anon, authenticated, service_role;

ALTER TABLE "public"."circuit_breaker" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."worker_slots" ("slot" integer NOT NULL, CONSTRAINT "worker_slots_pkey" PRIMARY KEY (slot), CONSTRAINT "worker_slots_slot_check" CHECK (((slot >= 1) AND (slot <= 64))));

revoke all on "public"."worker_slots" from public, anon, authenticated, service_role;

ALTER TABLE "public"."worker_slots" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."battle_files" ADD COLUMN "checksum" text;

ALTER TABLE "public"."battle_files" ADD COLUMN "lost_since" timestamp with time zone;

ALTER TABLE "public"."partitions" ADD COLUMN "dead_looks" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."partitions" ADD COLUMN "idle_runs" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."partitions" ADD COLUMN "plan_digest" text;

ALTER TABLE "public"."partitions" ADD COLUMN "lease_slot" integer;

ALTER TABLE "public"."processing_metrics" ADD COLUMN "given_back" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."service_settings" ADD COLUMN "breaker_window_seconds" integer NOT NULL DEFAULT 600;

ALTER TABLE "public"."service_settings" ADD COLUMN "breaker_probe_seconds" integer NOT NULL DEFAULT 10;

ALTER TABLE "public"."service_settings" ADD COLUMN "second_look_seconds" integer NOT NULL DEFAULT 120;

ALTER TABLE "public"."service_settings" ADD COLUMN "planner_version" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."service_settings" ADD COLUMN "plan_changed_at" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone;

ALTER TYPE "sediment"."commit_file" ADD ATTRIBUTE "checksum" text CASCADE;

CREATE OR REPLACE FUNCTION public.claim_compaction(p_worker text, p_lease_seconds integer DEFAULT 300)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_turns constant text[] :=
    '{manual,realtime,manual,manual,realtime,manual,scheduled,realtime,manual,manual}';
  v_first text := v_turns[1 + nextval('sediment.queue_turn') % 10];
  v_queue text;
  v_candidate record;
  v_seen integer;
  v_any boolean := false;
  v_tried bigint[];
  v_claim jsonb;
  v_probe jsonb;
  v_slot integer;
begin
  if p_worker is null or length(p_worker) not between 1 and 200 then
    perform sediment.fail('invalid_request', 400, 'p_worker is empty or over 200 characters');
  end if;
  if p_lease_seconds is null or p_lease_seconds not between 1 and 3600 then
    perform sediment.fail('invalid_request', 400, format('p_lease_seconds is %s', p_lease_seconds), '1 to 3600');
  end if;

  v_probe := sediment.claim_probe();
  if v_probe is not null then
    return jsonb_build_object('claimed', false, 'reason', 'breaker_open') || v_probe;
  end if;
  v_slot := sediment.take_slot();
  if v_slot is null then
    return jsonb_build_object('claimed', false, 'reason', 'busy');
  end if;

  foreach v_queue in array array[v_first] || array_remove('{manual,realtime,scheduled}'::text[], v_first) loop
    v_tried := '{}';
    -- in batches of ten; each with a new look at the queue, since others claim at the same time
    for v_round in 1 .. 10 loop
      v_seen := 0;
      for v_candidate in select r.msg_id, r.message from sediment.queue_ready(v_queue, 10, v_tried) r loop
        v_seen := v_seen + 1;
        v_tried := v_tried || v_candidate.msg_id;
        -- spreading waits for partitions, so it is done only while nothing is locked
        if not v_any and sediment.fan_out_message(v_queue, v_candidate.msg_id, v_candidate.message) then
          return jsonb_build_object('claimed', false, 'reason', 'fanned_out');
        end if;
        v_any := true;
        v_claim := sediment.claim_message(v_queue, v_candidate.msg_id, v_candidate.message, p_worker,
          p_lease_seconds, v_slot);
        if v_claim is not null then
          return v_claim;
        end if;
      end loop;
      exit when v_seen < 10;
    end loop;
  end loop;
  return jsonb_build_object('claimed', false, 'reason', case when v_any then 'busy' else 'empty' end);
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

revoke all on function "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb, text[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.fail_compaction(p_run uuid, p_token bigint, p_code text, p_message text, p_step text, p_permanent boolean, p_class text DEFAULT NULL::text, p_part text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
begin
  p := sediment.lock_lease(p_run, p_token);
  if p_class = 'environment' then
    return sediment.return_run(p, coalesce(left(p_code, 100), 'internal'), p_message, p_step,
      case when p_part in ('store_read', 'store_write', 'catalog') then p_part end);
  end if;
  return sediment.retry_run(p.dataset_id, p."table", p.period_tag, coalesce(left(p_code, 100), 'internal'),
    p_message, p_step, coalesce(p_permanent, false));
end $function$;

revoke all on function "public"."fail_compaction"(uuid, bigint, text, text, text, boolean, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.finish_probe(p_token bigint, p_passed boolean, p_code text DEFAULT NULL::text, p_message text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into strict b from public.circuit_breaker x for no key update;
  if b.state = 'open' and b.probe_token = p_token and b.probe_until is not null then
    select * into strict s from public.service_settings;
    if p_passed and b.probes_passed >= 1 then
      update public.circuit_breaker x
      set state = 'closed', closed_at = v_now, probe_at = null, probe_until = null, suspect = null,
        suspect_at = null, probes_passed = 0, probes_failed = 0
      returning * into strict b;
      perform sediment.raise_alert('breaker_closed', format('Sediment goes on: %s answers again after %s',
        b.part, date_trunc('second', v_now - b.opened_at)), jsonb_build_object('part', b.part));
    else
      update public.circuit_breaker x
      set probe_until = null,
        probes_passed = case when p_passed then x.probes_passed + 1 else 0 end,
        probes_failed = case when p_passed then x.probes_failed else x.probes_failed + 1 end,
        error_code = case when p_passed then x.error_code else coalesce(left(p_code, 100), x.error_code) end,
        error_message = case when p_passed then x.error_message
          else coalesce(left(p_message, 2000), x.error_message) end,
        probe_at = v_now + make_interval(secs => case when p_passed then s.breaker_probe_seconds
          else least(s.backoff_cap_seconds, (0.75 + random() / 4) * s.breaker_probe_seconds
            * power(2, least(x.probes_failed, 10))) end)
      returning * into strict b;
    end if;
    if b.probe_key is not null then
      perform sediment.discard_object(b.probe_key, 'a probe');
    end if;
  end if;
  return jsonb_build_object('state', b.state, 'probe_at', b.probe_at);
end $function$;

revoke all on function "public"."finish_probe"(bigint, boolean, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.get_upload(p_stage uuid, p_user uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  o public.objects;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'fragment';
  if not found then
    perform sediment.fail('stage_expired', 410, format('there is no stage %s', p_stage));
  end if;
  if o.user_id is distinct from p_user then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  return jsonb_build_object('stage_id', p_stage, 'state', o.state, 'dataset_id', o.dataset_id,
    'table', o."table", 'period_tag', o.period_tag, 'object_key', o.object_key,
    'incoming_key', (select x.object_key from public.objects x where x.stage_id = p_stage and x.kind = 'incoming'),
    'size', o.size, 'content_hash', o.content_hash, 'offsets_digest', o.offsets_digest, 'details', o.details,
    'expires_at', o.expires_at, 'answer', (
      select u.answer || jsonb_build_object('duplicate', true) from public.uploads u
      where u.dataset_id = o.dataset_id and u."table" = o."table" and u.period_tag = o.period_tag
        and u.content_hash = o.content_hash and u.offsets_digest = o.offsets_digest
        and sediment.lost_files(u.id) = 0));
end $function$;

CREATE OR REPLACE FUNCTION public.quarantine_file(p_run uuid, p_token bigint, p_file bigint, p_code text, p_reason text, p_object_key text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  f public.battle_files;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_many constant integer := 10;
  v_changed boolean := false;
begin
  p := sediment.lock_lease(p_run, p_token);
  select * into f from public.battle_files x
  where x.id = p_file and x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
    and x.removed_version is null;
  if not found then
    perform sediment.fail('inputs_changed', 409, format('file %s is not visible in the partition', p_file));
  end if;
  if f.object_key <> p_object_key then
    perform sediment.fail('inputs_changed', 409, format('file %s is in another object than %s', p_file, p_object_key));
  end if;

  select * into strict s from public.service_settings;
  if f.state = 'active' and p_code in ('object_missing', 'object_changed')
    and (f.lost_since is null or f.lost_since not between v_now - interval '1 day'
      and v_now - make_interval(secs => s.second_look_seconds))
  then
    if f.lost_since is null or f.lost_since < v_now - interval '1 day' then
      if (select count(*) from (select 1 from public.battle_files x where x.removed_version is null
          and x.lost_since > v_now - make_interval(secs => s.breaker_window_seconds) limit v_many) y) = v_many
      then
        perform sediment.fail('store_failed', 503, format('%s, after %s others: %s', p_code, v_many, left(p_reason, 500)));
      end if;
      update public.battle_files x set lost_since = v_now where x.id = f.id returning * into strict f;
      v_changed := true;
    end if;
  elsif f.state = 'active' then
    update public.battle_files x
    set state = 'quarantined', quarantine_code = left(p_code, 100), quarantine_reason = left(p_reason, 2000),
      quarantined_at = v_now
    where x.id = f.id
    returning * into strict f;
    v_changed := true;
  end if;
  -- A file set aside is progress, as a committed output is, and happens once a file: a turn that met nothing but
  -- bad ones is no failed attempt (found by the simulation: three such turns buried the sound rest).
  update public.processing_metrics r
  set files_quarantined = r.files_quarantined + (v_changed and f.state = 'quarantined')::integer,
    attempts = case when v_changed then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('file_id', p_file, 'state', f.state, 'changed', v_changed, 'look_again_at',
    case when f.state = 'active' then f.lost_since + make_interval(secs => s.second_look_seconds) end);
end $function$;

revoke all on function "public"."quarantine_file"(uuid, bigint, bigint, text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.retry_quarantined(p_user uuid, p_dataset uuid, p_files bigint[] DEFAULT NULL::bigint[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  d public.datasets;
  v_ids bigint[];
  v_files jsonb;
  v_requested jsonb;
begin
  d := sediment.own_dataset(p_user, p_dataset);
  select coalesce(array_agg(x.id), '{}') into strict v_ids from (
    select f.id from public.battle_files f
    where f.dataset_id = d.id and f.state = 'quarantined' and f.removed_version is null
      and (p_files is null or f.id = any (p_files)) order by f.id limit 1000
  ) x;
  perform 1 from public.partitions p
  where p.dataset_id = d.id and (p."table", p.period_tag) in (
    select f."table", f.period_tag from public.battle_files f where f.id = any (v_ids))
  order by p."table", p.period_tag
  for no key update;

  with revived as (
    update public.battle_files f
    set state = 'active', quarantine_code = null, quarantine_reason = null, quarantined_at = null,
      lost_since = null
    where f.id = any (v_ids) and f.state = 'quarantined' and f.removed_version is null
    returning f.id, f."table", f.period_tag, f.byte_length
  ), debts as (
    update public.partitions p
    set debt_files = p.debt_files + r.files, debt_bytes = p.debt_bytes + r.bytes,
      debt_oldest = coalesce(p.debt_oldest, clock_timestamp()), demand_seq = p.demand_seq + 1,
      forced_seq = p.demand_seq + 1
    from (select v."table", v.period_tag, count(*) as files, sum(v.byte_length)::bigint as bytes
      from revived v group by 1, 2) r
    where p.dataset_id = d.id and p."table" = r."table" and p.period_tag = r.period_tag
    returning p."table", p.period_tag
  )
  select (select coalesce(jsonb_agg(r.id order by r.id), '[]') from revived r),
    (select coalesce(jsonb_agg(jsonb_build_object('table', b."table", 'period_tag', b.period_tag)
      order by b."table", b.period_tag), '[]') from debts b)
  into strict v_files, v_requested;

  select coalesce(jsonb_agg(q || jsonb_build_object('metricId', sediment.wake_partition(d.id, q ->> 'table',
    q ->> 'period_tag', 'manual', 'request', 0))), '[]')
  into strict v_requested from jsonb_array_elements(v_requested) q;
  return jsonb_build_object('dataset_id', d.id, 'files', v_files, 'requested', v_requested);
end $function$;

CREATE OR REPLACE FUNCTION public.sweep(p_limit integer DEFAULT 500)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  p public.partitions;
  v_ready timestamptz;
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  v_now timestamptz := clock_timestamp();
  v_sent integer := 0;
  v_resent integer := 0;
  v_left integer;
  v_stages integer;
  v_closed integer;
  v_queue text;
  v_fan_out public.processing_metrics;
  v_archive integer;
  v_settings public.service_settings;
begin
  select * into strict v_settings from public.service_settings;
  v_archive := v_settings.archive_seconds;
  for p in
    select * from public.partitions x where x.due_at <= v_now and x.msg_id is null
    order by x.due_at limit p_limit
    for no key update skip locked
  loop
    if p.dead_since is null then
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
    else
      perform sediment.revive_run(p);
    end if;
    v_sent := v_sent + 1;
  end loop;

  -- Few at a time: a change of a setting is no reason for a night's work at once.
  v_left := 5;
  for p in
    select * from public.partitions x
    where x.msg_id is null and x.due_at is null and x.last_considered_at < v_settings.plan_changed_at
    order by x.last_considered_at limit 200
    for no key update skip locked
  loop
    exit when v_left = 0;
    if p.plan_digest is distinct from sediment.plan_digest(p.dataset_id, p."table", v_settings.planner_version) then
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
      v_sent := v_sent + 1;
      v_left := v_left - 1;
    else
      update public.partitions x set last_considered_at = v_now
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    end if;
  end loop;

  -- A partition without lease whose message is gone (purge_queue, a restored backup) sends it again.
  for p in
    select * from public.partitions x
    where x.msg_id is not null and x.lease_expires_at is null and x.ready_at <= v_now
      and not exists (select 1 from sediment.queue_messages m where m.queue = x.queue and m.msg_id = x.msg_id)
    limit p_limit
    for no key update skip locked
  loop
    -- look again under the lock: the first look was at an older snapshot
    if p.msg_id is null or p.lease_expires_at is not null
      or exists (select 1 from sediment.queue_messages m where m.queue = p.queue and m.msg_id = p.msg_id)
    then
      continue;
    end if;
    v_ready := clock_timestamp();
    update public.partitions x
    set ready_at = v_ready,
      msg_id = sediment.queue_send(p.queue, p.run_id, p.dataset_id, p."table", p.period_tag, 0)
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    v_resent := v_resent + 1;
  end loop;

  -- The same of a request for a whole dataset that is not yet spread. Few: so many looks through the queues.
  for v_fan_out in
    select * from public.processing_metrics x
    where x.operation = 'fan_out' and x.completed_at is null and x.fan_out_cursor is not null
      and x.queued_at <= v_now - interval '1 minute'
      and not exists (select 1 from sediment.queue_messages m where m.message ->> 'metricId' = x.id::text)
    order by x.queued_at limit 10
    for no key update skip locked
  loop
    perform sediment.queue_send(v_fan_out.priority, v_fan_out.id, v_fan_out.dataset_id, null, null, 0);
    v_resent := v_resent + 1;
  end loop;

  -- what is due may be waiting for its time, and the breaker with it
  if sediment.wake_probe() is null
    and (select count(*) from public.partitions x where x.lease_expires_at > v_now) < v_settings.max_workers
  then
    foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
      exit when exists (
        select 1 from sediment.queue_ready(v_queue, 10) m
        where not exists (select 1 from public.partitions x where x.queue = v_queue and x.msg_id = m.msg_id))
        and sediment.ping_functions('/compactor') is not null;
    end loop;
  end if;

  with gone as (
    select o.object_key from public.objects o
    where o.state = 'staged' and o.put_deadline <= v_now
    order by o.put_deadline limit p_limit
    for update skip locked
  )
  update public.objects o
  set state = 'deleting', delete_after = clock_timestamp(), delete_reason = 'staged and never committed',
    expires_at = null, updated_at = clock_timestamp()
  from gone g where o.object_key = g.object_key and o.state = 'staged';
  get diagnostics v_stages = row_count;

  with done as (
    select r.id, exists (select 1 from public.run_children k join public.processing_metrics c on c.id = k.child_id
      where k.parent_id = r.id and c.status <> 'success') as failed
    from public.processing_metrics r
    where r.operation = 'fan_out' and r.completed_at is null and r.fan_out_cursor is null
      and not exists (select 1 from public.run_children k join public.processing_metrics c on c.id = k.child_id
        where k.parent_id = r.id and c.completed_at is null)
    order by r.queued_at limit p_limit
    for no key update of r skip locked
  )
  update public.processing_metrics r
  set status = case when d.failed then 'failure' else 'success' end, completed_at = clock_timestamp()
  from done d where r.id = d.id;
  get diagnostics v_closed = row_count;

  delete from public.idempotency_keys k
  where k.ctid = any (array(select x.ctid from public.idempotency_keys x
    where x.created_at < v_now - interval '1 day' limit p_limit for update skip locked));

  foreach v_queue in array '{manual,realtime,scheduled,dlq}'::text[] loop
    execute format('delete from pgmq.%1$I a where a.msg_id = any (array(select x.msg_id from pgmq.%1$I x
      where x.archived_at < $1 order by x.archived_at limit $2))', 'a_compaction_' || v_queue)
    using v_now - make_interval(secs => v_archive), p_limit;
  end loop;

  return jsonb_build_object('sent', v_sent, 'resent', v_resent, 'stages_expired', v_stages,
    'fan_outs_closed', v_closed, 'more', greatest(v_sent, v_resent, v_stages, v_closed) = p_limit);
end $function$;

CREATE OR REPLACE FUNCTION public.tick()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_ready integer;
  v_now timestamptz := clock_timestamp();
  v_leases integer;
  v_wake integer;
  v_woken integer := 0;
  v_probe boolean;
begin
  select count(*) into strict v_ready from (
    select 1 from public.partitions p where p.msg_id is not null and p.ready_at <= v_now limit 10) x;
  if v_ready = 0 then
    return jsonb_build_object('ready', 0, 'leases', null, 'woken', 0);
  end if;
  v_probe := sediment.wake_probe();
  if v_probe is not null then
    return jsonb_build_object('ready', v_ready, 'leases', null, 'woken', v_probe::integer);
  end if;

  select count(*) into strict v_leases from public.partitions p where p.lease_expires_at > v_now;
  select least(v_ready, s.max_workers - v_leases) into strict v_wake from public.service_settings s;
  if v_wake > 0 and sediment.pings_queued('/compactor') > 0 then
    v_wake := 0;
  end if;
  for i in 1 .. v_wake loop
    exit when sediment.ping_functions('/compactor') is null;
    v_woken := v_woken + 1;
  end loop;
  return jsonb_build_object('ready', v_ready, 'leases', v_leases, 'woken', v_woken);
end $function$;

CREATE OR REPLACE FUNCTION public.trigger_scheduled(p_max_datasets integer DEFAULT NULL::integer, p_concurrency integer DEFAULT NULL::integer, p_delay_ms integer DEFAULT NULL::integer, p_max_partitions integer DEFAULT 2000)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  s public.service_settings;
  v_datasets uuid[];
  v_key record;
  v_count integer := 0;
  v_dead integer := 0;
  v_partition public.partitions;
begin
  select * into strict s from public.service_settings;
  p_max_datasets := least(coalesce(p_max_datasets, s.max_datasets_per_run), s.max_datasets_per_run);
  p_concurrency := greatest(coalesce(p_concurrency, s.schedule_concurrency), 1);
  p_delay_ms := greatest(coalesce(p_delay_ms, s.schedule_delay_ms), 0);

  select coalesce(array_agg(x.dataset_id order by x.oldest), '{}') into strict v_datasets
  from (
    select p.dataset_id, min(p.debt_oldest) as oldest from public.partitions p
    where p.debt_oldest is not null and p.msg_id is null and p.dead_since is null
    group by p.dataset_id order by 2 limit greatest(p_max_datasets, 0)
  ) x;

  for v_partition in
    select * from public.partitions x
    where x.dead_since is not null and x.debt_oldest is not null and x.msg_id is null
    order by x.debt_oldest limit least((p_max_partitions + 3) / 4, (p_max_datasets + 3) / 4)
    for no key update skip locked
  loop
    perform sediment.revive_run(v_partition);
    v_dead := v_dead + 1;
  end loop;

  for v_key in
    select p.dataset_id, p."table", p.period_tag, p.msg_id from public.partitions p
    where p.dataset_id = any (v_datasets) and p.debt_oldest is not null and p.msg_id is null
      and p.dead_since is null
    order by p.dataset_id, p."table", p.period_tag limit p_max_partitions - v_dead
    for no key update skip locked
  loop
    perform sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'scheduled', 'schedule',
      ((array_position(v_datasets, v_key.dataset_id) - 1) / p_concurrency) * p_delay_ms / 1000);
    v_count := v_count + 1;
  end loop;
  return jsonb_build_object('datasets', to_jsonb(v_datasets), 'partitions', v_count + v_dead,
    'more', v_count + v_dead = p_max_partitions);
end $function$;

CREATE OR REPLACE FUNCTION sediment.bury_run(p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_letter bigint;
  v_now timestamptz := clock_timestamp();
  v_next text;
  v_known boolean;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  update public.dead_letters l
  set error_code = p_code, error_message = left(p_message, 2000), error_step = p_step, last_failed_at = v_now
  where l.run_id = p.run_id and l.resolved_at is null
  returning l.id into v_letter;
  v_known := found;
  if not v_known then
    insert into public.dead_letters (user_id, dataset_id, "table", period_tag, run_id, queue, error_code,
      error_message, error_step, attempts, message, first_failed_at, last_failed_at)
    select r.user_id, p_dataset, p_table, p_period_tag, r.id, p.queue, p_code, left(p_message, 2000), p_step,
      r.attempts, (select m.message from sediment.queue_messages m where m.queue = p.queue and m.msg_id = p.msg_id),
      coalesce(r.first_failed_at, v_now), v_now
    from public.processing_metrics r where r.id = p.run_id
    returning id into strict v_letter;
  end if;

  update public.processing_metrics r
  set status = case when p_code in ('run_timeout', 'lease_expired') then 'timeout' else 'dlq_failure' end,
    error_code = p_code, error_message = left(p_message, 2000), error_step = coalesce(p_step, r.step),
    first_failed_at = coalesce(r.first_failed_at, v_now), last_failed_at = v_now, completed_at = v_now
  where r.id = p.run_id;

  perform sediment.queue_archive(p.queue, p.msg_id);
  if not v_known then
    perform sent.id from pgmq.send('compaction_dlq'::text,
      jsonb_build_object('deadLetterId', v_letter, 'errorCode', p_code, 'datasetId', p_dataset)::jsonb, 0::integer)
      as sent(id);
  end if;

  update public.partitions x
  set queue = null, msg_id = null, run_id = null, ready_at = null, next_run_id = null,
    due_at = v_now + make_interval(secs => least(86400, (select s.idle_recheck_seconds
      * power(2, least(x.dead_looks, 20)) from public.service_settings s))),
    dead_looks = x.dead_looks + 1,
    token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null,
    last_decision = 'gave up: ' || p_code, dead_since = v_now
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  -- Demand that came while the run was at work gets attempts of its own.
  if p.next_run_id is not null then
    select r.priority into strict v_next from public.processing_metrics r where r.id = p.next_run_id;
    perform sediment.adopt_run(p_dataset, p_table, p_period_tag, p.next_run_id, v_next);
  end if;
  return v_letter;
end $function$;

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
    perform sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'lease_expired',
      format('worker %s did not renew its lease', p.lease_worker), null, false);
    return null;
  end if;
  if p.ready_at > v_now then
    perform sediment.queue_hide(p_queue, p_msg_id, p.ready_at); -- it failed since we looked, and waits
    return null;
  end if;

  v_settings := sediment.settings_of(p.dataset_id, p."table");
  select v_now + make_interval(secs => least(p_lease_seconds,
    greatest((v_settings ->> 'max_run_seconds')::integer - r.worked_seconds, 1)))
  into strict v_until from public.processing_metrics r where r.id = p.run_id;
  update public.partitions x
  set token = x.token + 1, lease_worker = p_worker, lease_slot = p_slot, claimed_at = v_now, lease_expires_at = v_until,
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
    'forced', p.forced_seq > p.done_seq, 'outputs_committed', v_run.commits, 'settings', v_settings,
    'steps', v_run.steps)
    || sediment.list_inputs(p.dataset_id, p."table", p.period_tag, -1, 2000);
end $function$;

revoke all on function "sediment"."claim_message"(text, bigint, jsonb, text, integer, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.claim_probe()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  v_now timestamptz := clock_timestamp();
  v_seconds constant integer := 60;
  v_keys text[];
  v_key text;
begin
  if (select x.state from public.circuit_breaker x) is distinct from 'open' then
    return null;
  end if;
  select * into b from public.circuit_breaker x for no key update skip locked;
  if not found or b.state <> 'open' or b.probe_at > v_now or b.probe_until > v_now then
    return jsonb_build_object('probe', null);
  end if;

  if b.part = 'store_read' then
    select coalesce(array_agg(x.object_key), '{}') into strict v_keys from (
      select f.object_key from public.battle_files f
      where f.removed_version is null and f.state = 'active' order by f.id desc limit 3) x;
  elsif b.part = 'store_write' then
    v_key := format('probes/%s.bin', gen_random_uuid());
    insert into public.objects (object_key, kind, size, expires_at, put_deadline)
    values (v_key, 'probe', 1, v_now + make_interval(secs => v_seconds),
      v_now + make_interval(secs => (select s.max_put_seconds from public.service_settings s)));
  end if;
  update public.circuit_breaker x
  set probe_token = x.probe_token + 1, probe_until = v_now + make_interval(secs => v_seconds), probe_key = v_key
  returning * into strict b;
  return jsonb_build_object('probe', jsonb_build_object('token', b.probe_token, 'part', b.part, 'seconds', v_seconds,
    'keys', to_jsonb(coalesce(v_keys, '{}')), 'write_key', v_key));
end $function$;

revoke all on function "sediment"."claim_probe"() from public, anon, authenticated, service_role;

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
  v_calls sediment.commit_call[] := sediment.lock_commit_calls(p_calls);
  v_call sediment.commit_call;
  v_read record;
  v_files sediment.commit_file[];
  v_entered uuid[];
  v_limited boolean;
  v_going sediment.commit_call[];
  v_answers jsonb := '{}';
begin
  v_read := sediment.read_commit_files(v_calls);
  v_files := v_read.files;
  if v_read.wrong is not null then
    for v_call in select c.* from unnest(v_calls) as c where v_read.wrong ? c.n::text loop
      v_calls[v_call.n].outcome := sediment.failure('invalid_request', 400, v_read.wrong ->> v_call.n::text);
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
  select coalesce(array_agg(e.id), '{}'), (select bool_or(c.limited) from unnest(v_calls) as c)
  into strict v_entered, v_limited
  from entered e;

  if cardinality(v_entered) = cardinality(v_calls) and not v_limited then
    -- as mostly: nothing is known, refused or limited
    v_going := v_calls;
  else
    -- By user, then as they came: two groups that wait for users' quotas must not wait for each other.
    for v_call in
      select c.* from unnest(v_calls) as c
      where c.outcome is null and (c.limited or c.stage <> all (v_entered)) order by c.user_id, c.n
    loop
      v_calls[v_call.n].outcome := case when v_call.stage = any (v_entered)
        then sediment.quota_outcome(v_call, v_calls) else sediment.first_outcome(v_call) end;
    end loop;
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_files);
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

CREATE OR REPLACE FUNCTION sediment.first_outcome(p sediment.commit_call)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_first public.uploads;
begin
  select * into v_first from public.uploads u
  where u.dataset_id = p.dataset_id and u."table" = p."table" and u.period_tag = p.period_tag
    and u.content_hash = p.content_hash;
  if not found then
    return sediment.failure('stage_expired', 410, format('stage %s was given up', p.stage));
  end if;
  if v_first.offsets_digest <> p.offsets_digest then
    return sediment.failure('upload_conflict', 422,
      format('this body was acknowledged on %s with other offsets', v_first.created_at),
      'the offsets of the first upload');
  end if;
  -- Bytes that came again and are missed: they go behind the rows, when all else of the transaction is done. What was
  -- known when it was staged was not put.
  if p.etag is not null and sediment.lost_files(v_first.id) > 0
    and exists (select 1 from public.objects x where x.object_key = p.object_key and x.state = 'staged')
  then
    return '{"heal": true}';
  end if;
  perform sediment.discard_object(x.object_key, 'a duplicate upload')
  from public.objects x where x.stage_id = p.stage and x.state = 'staged';
  return jsonb_build_object('answer', v_first.answer || jsonb_build_object('duplicate', true));
end $function$;

CREATE OR REPLACE FUNCTION sediment.heal_upload(p sediment.commit_call, u public.uploads)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_codes constant text[] := array['object_missing', 'object_changed'];
  v_again constant jsonb := jsonb_build_object('answer', u.answer || jsonb_build_object('duplicate', true));
  v_partitions integer;
  v_locked integer;
  v_bytes bigint;
  v_uncompressed bigint;
  v_old text[];
  v_lifted jsonb;
  v_key record;
begin
  select count(distinct (f."table", f.period_tag)) into strict v_partitions from public.battle_files f
  where coalesce(f.upload_id, f.run_id) = u.id;
  select count(*) into strict v_locked from (
    select 1 from public.partitions x
    where x.dataset_id = u.dataset_id and (x."table", x.period_tag) in (
      select f."table", f.period_tag from public.battle_files f where coalesce(f.upload_id, f.run_id) = u.id)
    order by x."table", x.period_tag for no key update skip locked) l;
  perform 1 from public.datasets d where d.id = u.dataset_id for no key update skip locked;
  if not found or v_locked <> v_partitions then
    return sediment.failure('catalog_failed', 503, 'a partition of the upload is in use', 'retry after 1 s');
  end if;
  -- another may have been first; and every row must find itself in what came
  if sediment.lost_files(u.id) = 0 or exists (
    select 1 from public.battle_files f
    left join jsonb_to_recordset(p.files) as n(ordinal integer, "table" text, period_tag text, row_count bigint,
      schema_fingerprint text, start_byte bigint, byte_length bigint)
      on n.ordinal = f.ordinal and n."table" = f."table" and n.period_tag = f.period_tag and n.row_count = f.row_count
        and (n.schema_fingerprint = f.schema_fingerprint
          or p.size = p.object_size and n.start_byte = f.start_byte and n.byte_length = f.byte_length)
    where coalesce(f.upload_id, f.run_id) = u.id and n.ordinal is null)
  then
    perform sediment.discard_object(p.object_key, 'a duplicate upload');
    return v_again;
  end if;

  update public.objects o
  set state = 'stored', size = p.object_size, etag = nullif(p.etag, ''), expires_at = null,
    updated_at = clock_timestamp()
  where o.object_key = p.object_key and o.state = 'staged';
  if not found then
    return sediment.failure('stage_expired', 410, format('stage %s was given up', p.stage));
  end if;

  with came as (
    select * from jsonb_to_recordset(p.files) as n(ordinal integer, start_byte bigint, byte_length bigint,
      row_group_count integer, uncompressed_bytes bigint, value_count bigint, merge_facts jsonb, stats jsonb,
      checksum text)
  ), old as (
    select f.* from public.battle_files f where coalesce(f.upload_id, f.run_id) = u.id
  ), healed as (
    update public.battle_files f
    set object_key = p.object_key, etag = nullif(p.etag, ''), start_byte = n.start_byte, byte_length = n.byte_length,
      row_group_count = n.row_group_count, uncompressed_bytes = n.uncompressed_bytes, value_count = n.value_count,
      merge_facts = n.merge_facts, stats = n.stats, checksum = n.checksum, lost_since = null,
      state = case when f.quarantine_code = any (v_codes) then 'active' else f.state end,
      quarantine_code = case when f.quarantine_code = any (v_codes) then null else f.quarantine_code end,
      quarantine_reason = case when f.quarantine_code = any (v_codes) then null else f.quarantine_reason end,
      quarantined_at = case when f.quarantine_code = any (v_codes) then null else f.quarantined_at end
    from came n
    where coalesce(f.upload_id, f.run_id) = u.id and n.ordinal = f.ordinal
    returning f.id, f.byte_length, f.uncompressed_bytes
  )
  select array_agg(distinct o.object_key),
    coalesce(sum(h.byte_length - o.byte_length) filter (where o.removed_version is null), 0)::bigint,
    coalesce(sum(h.uncompressed_bytes - o.uncompressed_bytes) filter (where o.removed_version is null), 0)::bigint,
    coalesce((select jsonb_agg(l.key) from (
      select jsonb_build_object('table', x."table", 'period_tag', x.period_tag, 'files', count(*),
        'bytes', sum(x.byte_length)) as key
      from old x where x.removed_version is null and (x.quarantine_code = any (v_codes) or x.lost_since is not null)
      group by x."table", x.period_tag order by x."table", x.period_tag) l), '[]')
  into strict v_old, v_bytes, v_uncompressed, v_lifted
  from old o join healed h on h.id = o.id;

  update public.uploads x set object_key = p.object_key where x.id = u.id;
  update public.datasets d
  set file_size_bytes = d.file_size_bytes + v_bytes, uncompressed_bytes = d.uncompressed_bytes + v_uncompressed
  where d.id = u.dataset_id;
  -- whoever holds a URL of an object whose bytes changed may still read it
  perform sediment.retire_object(k.key, 'its upload was healed',
    (select make_interval(secs => s.signed_url_seconds) from public.service_settings s))
  from unnest(v_old) as k(key) where k.key <> p.object_key;

  for v_key in
    select * from jsonb_to_recordset(v_lifted) as t("table" text, period_tag text, files bigint, bytes bigint)
  loop
    update public.partitions x
    set debt_files = x.debt_files + v_key.files, debt_bytes = x.debt_bytes + v_key.bytes,
      debt_oldest = coalesce(x.debt_oldest, clock_timestamp()), demand_seq = x.demand_seq + 1
    where x.dataset_id = u.dataset_id and x."table" = v_key."table" and x.period_tag = v_key.period_tag;
    perform sediment.wake_partition(u.dataset_id, v_key."table", v_key.period_tag, 'realtime', 'upload',
      (select s.realtime_delay_seconds from public.service_settings s));
  end loop;
  return jsonb_build_object('answer', u.answer || jsonb_build_object('duplicate', true, 'healed', true));
end $function$;

revoke all on function "sediment"."heal_upload"(sediment.commit_call, public.uploads) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.list_inputs(p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (with page as (
    select f.* from public.battle_files f
    where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
      and f.removed_version is null and f.seq_min > p_after
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

CREATE OR REPLACE FUNCTION sediment.lost_files(p_upload uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  return (select count(*) from public.battle_files f
    where coalesce(f.upload_id, f.run_id) = p_upload
      -- not "is null", which would let a partial index be read from end to end
      and coalesce(f.removed_version, -1) = -1
      and (f.lost_since is not null
        or f.state = 'quarantined' and f.quarantine_code in ('object_missing', 'object_changed')));
end $function$;

revoke all on function "sediment"."lost_files"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.note_plan_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.service_settings s set plan_changed_at = clock_timestamp();
  return null;
end $function$;

revoke all on function "sediment"."note_plan_change"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.pings_queued(p_path text)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return (select count(*) from (
    select 1 from net.http_request_queue q where q.url like '%' || p_path limit 100) x);
exception when insufficient_privilege or undefined_table then
  return 0;
end $function$;

revoke all on function "sediment"."pings_queued"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.plan_digest(p_dataset uuid, p_table text, p_planner integer)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return md5(p_planner || (sediment.settings_of(p_dataset, p_table)
    - array['retention_seconds', 'lease_seconds', 'max_run_seconds', 'max_attempts'])::text);
end $function$;

revoke all on function "sediment"."plan_digest"(uuid, text, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.raise_alert(p_class text, p_summary text, p_details jsonb DEFAULT '{}'::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.alerts (class, window_start, payload)
  values (p_class, clock_timestamp(),
    p_details || jsonb_build_object('class', p_class, 'summary', p_summary, 'at', clock_timestamp()))
  on conflict (class, window_start) do nothing;
end $function$;

revoke all on function "sediment"."raise_alert"(text, text, jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.read_commit_files(p_calls sediment.commit_call[], OUT files sediment.commit_file[], OUT wrong jsonb)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  with read as materialized (
    select c.n, c.dataset_id, f.ordinal, f."table", f.period_tag,
      row(c.n, c.dataset_id, c.stage, c.user_id, c.object_key, c.etag, f.ordinal, f."table", f.period_tag,
        f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count,
        f.merge_facts, f.schema_fingerprint, f.schema, f.stats, f.checksum)::sediment.commit_file as file,
      case
        when t.list is null then 'p_files is not an array of 1 to 10000 data files'
        when (f.ordinal >= 0 and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
          and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
          and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
          and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
          and f.schema_fingerprint is not null and f.schema is not null) is not true
        then format('data file %s is not well formed: table %s, period_tag %s, start_byte %s, byte_length %s',
          f.ordinal, quote_nullable(left(f."table", 80)), quote_nullable(left(f.period_tag, 80)), f.start_byte,
          f.byte_length)
      end as detail
    from unnest(p_calls) as c
    cross join lateral (select case when jsonb_typeof(c.files) = 'array'
      then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
    left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
      start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
      value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb, checksum text) on true
    where c.outcome is null and not c.known
  )
  select array_agg(x.file order by x.dataset_id, x."table", x.period_tag, x.n, x.ordinal)
      filter (where x.ordinal is not null),
    -- of a call's the last one stays: the first data file that is wrong
    jsonb_object_agg(x.n, x.wrong order by x.n, x.ordinal desc nulls first) filter (where x.wrong is not null)
  into strict files, wrong
  from (
    select r.*, coalesce(r.detail, case when count(*) over (partition by r.n, r.ordinal) > 1
      then 'two data files have the same ordinal' end) as wrong
    from read r
  ) x;
end $function$;

CREATE OR REPLACE FUNCTION sediment.read_stage_calls(p_calls jsonb)
 RETURNS sediment.stage_call[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  return (
    select array_agg(row(c.n, a.p_user, a.p_dataset, a.p_table, a.p_period_tag, a.p_size, a.p_content_hash,
      coalesce(a.p_offsets_digest, ''), coalesce(a.p_kind, 'fragment'), coalesce(a.p_ttl_seconds, 120),
      coalesce(a.p_max_put_seconds, 7200), a.p_details, a.p_idempotency_key,
      case when u.answer is not null and sediment.lost_files(u.id) = 0 then u.answer end,
      d.id is null or a.p_idempotency_key is not null or num_nonnulls(
        coalesce(l.uploads_per_minute, s.uploads_per_minute),
        coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day),
        coalesce(l.stored_bytes_max, s.stored_bytes_max)) > 0,
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
        when d.user_id <> a.p_user then
          sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', a.p_dataset))
        when u.offsets_digest <> coalesce(a.p_offsets_digest, '') then
          sediment.failure('upload_conflict', 422,
            format('this body was acknowledged on %s with other offsets', u.created_at),
            'the offsets of the first upload')
      end)::sediment.stage_call order by c.n)
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
      p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
      p_max_put_seconds integer, p_details jsonb, p_idempotency_key text)
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[a.p_user])
    left join public.datasets d on d.id = any (array[a.p_dataset])
    left join public.uploads u on u.dataset_id = any (array[a.p_dataset]) and u."table" = a.p_table
      and u.period_tag = a.p_period_tag and u.content_hash = a.p_content_hash);
end $function$;

CREATE OR REPLACE FUNCTION sediment.replace_files(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_in record;
  v_out record;
  v_dedupe boolean;
  v_version public.dataset_versions;
  v_removed bigint;
  v_now timestamptz := clock_timestamp();
  v_file bigint;
begin
  select count(*) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.row_group_count), 0)::bigint as row_groups,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed, max(f.level) as level,
    min(f.seq_min) as seq_min, max(f.seq_max) as seq_max
  into strict v_in
  from public.battle_files f
  where f.id = any (p_inputs) and f.removed_version is null and f.state = 'active'
    and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag;
  if v_in.files <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs are visible and sound', v_in.files, cardinality(p_inputs)));
  end if;

  -- What was read is what is there: an input that was healed since holds other bytes.
  if p_input_keys is not null and exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key) join public.battle_files f on f.id = i.id
    where f.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text,
    row_count bigint, row_group_count integer, uncompressed_bytes bigint, value_count bigint,
    merge_facts jsonb, schema_fingerprint text, stats jsonb, checksum text);
  v_dedupe := jsonb_array_length(sediment.settings_of(p.dataset_id, p."table") -> 'dedupe_keys') > 0;
  if (case when v_dedupe then coalesce(v_out.row_count, 0) <= v_in.rows and (v_out.row_count > 0 or v_in.rows = 0)
      else coalesce(v_out.row_count, 0) = v_in.rows end) is not true
  then
    perform sediment.fail('merge_rows_differ', 500,
      format('the inputs hold %s rows, the output %s', v_in.rows, coalesce(v_out.row_count, 0)));
  end if;
  -- Last writer wins only holds when nothing that was written in between stays outside.
  if v_dedupe and exists (
    select 1 from public.battle_files f
    where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.id <> all (p_inputs)
      and f.seq_min <= v_in.seq_max and f.seq_max >= v_in.seq_min)
  then
    perform sediment.fail('inputs_not_adjacent', 409,
      format('a file between upload %s and %s is not among the inputs', v_in.seq_min, v_in.seq_max));
  end if;

  v_version := (sediment.next_versions(array[row(p.dataset_id,
    case when p_output is null then 0 else 1 end - v_in.files, coalesce(v_out.size, 0) - v_in.bytes,
    coalesce(v_out.row_count, 0) - v_in.rows, coalesce(v_out.uncompressed_bytes, 0) - v_in.uncompressed,
    coalesce(v_out.etag, ''))::sediment.dataset_change]))[1];

  update public.battle_files f set removed_version = v_version.version
  where f.id = any (p_inputs) and f.removed_version is null;
  get diagnostics v_removed = row_count;
  if v_removed <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs were still visible', v_removed, cardinality(p_inputs)));
  end if;

  if p_output is not null then
    update public.objects o
    set state = 'stored', size = v_out.size, etag = v_out.etag, expires_at = null, updated_at = v_now
    where o.object_key = v_out.object_key and o.state = 'staged'
      and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token;
    if not found then
      -- the sweep was here: this worker slept through its lease and the time for its PUT, though nobody took over
      if exists (select 1 from public.objects o where o.object_key = v_out.object_key
        and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token)
      then
        perform sediment.fail('lease_lost', 409, format('%s was given up', v_out.object_key));
      end if;
      perform sediment.fail('object_missing', 500,
        format('%s is not the staged output %s of this run and token', v_out.object_key, p_n));
    end if;
    insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at, checksum)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum
    from public.processing_metrics r where r.id = p_run
    returning id into strict v_file;
  end if;

  update public.processing_metrics r
  set attempts = 0, -- a committed output is progress: the next failure is a first one again
    files_before = r.files_before + v_in.files, files_after = r.files_after + (v_file is not null)::integer,
    row_groups_before = r.row_groups_before + v_in.row_groups,
    row_groups_after = r.row_groups_after + coalesce(v_out.row_group_count, 0),
    rows_before = r.rows_before + v_in.rows, rows_after = r.rows_after + coalesce(v_out.row_count, 0),
    bytes_before = r.bytes_before + v_in.bytes, bytes_after = r.bytes_after + coalesce(v_out.size, 0)
  where r.id = p_run;
  return jsonb_build_object('version', v_version.version, 'file_id', v_file);
end $function$;

revoke all on function "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb, text[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.requeue_run(p public.partitions, p_until timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.partitions x
  set token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null, ready_at = p_until
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.queue_hide(p.queue, p.msg_id, p_until);
  perform sediment.raise_waiting(p, ceil(extract(epoch from p_until - clock_timestamp()))::integer);
end $function$;

revoke all on function "sediment"."requeue_run"(public.partitions, timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.retry_run(p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text, p_permanent boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_run public.processing_metrics;
  v_settings public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retry_at timestamptz;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  select * into strict v_run from public.processing_metrics r where r.id = p.run_id;
  select * into strict v_settings from public.service_settings;

  v_run.worked_seconds := sediment.add_work(p);
  if v_run.worked_seconds >= v_settings.max_run_seconds and not p_permanent
    and v_run.attempts < v_settings.max_attempts
  then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.bury_run(p_dataset, p_table, p_period_tag, 'run_timeout',
        format('the run worked for %s of %s seconds; its last failure was %s: %s', round(v_run.worked_seconds::numeric),
          v_settings.max_run_seconds, p_code, p_message), p_step));
  end if;
  if p_permanent or v_run.attempts >= v_settings.max_attempts then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.bury_run(p_dataset, p_table, p_period_tag, p_code, p_message, p_step));
  end if;

  -- Full jitter: anywhere between a second and the doubled base, so that what failed together does not come
  -- back together.
  v_retry_at := v_now + make_interval(secs => greatest(1, random() * least(
    v_settings.backoff_cap_seconds,
    v_settings.backoff_base_seconds * power(2, least(greatest(v_run.attempts, 1), 20) - 1))));

  update public.processing_metrics r
  set status = 'queued', error_code = p_code, error_message = left(p_message, 2000), error_step = p_step,
    first_failed_at = coalesce(r.first_failed_at, v_now), last_failed_at = v_now
  where r.id = p.run_id;
  perform sediment.requeue_run(p, v_retry_at);
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $function$;

CREATE OR REPLACE FUNCTION sediment.return_run(p public.partitions, p_code text, p_message text, p_step text, p_part text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  r public.processing_metrics;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retry_at timestamptz;
begin
  select * into strict s from public.service_settings;
  update public.processing_metrics x
  set status = 'queued', attempts = greatest(x.attempts - 1, 0), given_back = x.given_back + 1, error_code = p_code,
    error_message = left(p_message, 2000), error_step = p_step, last_failed_at = v_now,
    first_failed_at = coalesce(x.first_failed_at, v_now)
  where x.id = p.run_id
  returning * into strict r;
  v_retry_at := v_now + make_interval(secs => greatest(1, (0.5 + random() / 2) * least(
    s.backoff_cap_seconds, s.backoff_base_seconds * power(2, least(r.given_back, 20) - 1))));
  perform sediment.requeue_run(p, v_retry_at);
  if p_part is not null then
    perform sediment.trip_breaker(format('%s/%s/%s', p.dataset_id, p."table", p.period_tag), p_part, p_code, p_message);
  end if;
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $function$;

revoke all on function "sediment"."return_run"(public.partitions, text, text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.revive_run(p public.partitions)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_run uuid;
begin
  select r.id into v_run
  from public.dead_letters l join public.processing_metrics r on r.id = l.run_id
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null and r.completed_at is not null
  order by l.id desc limit 1;
  if not found then
    return sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
  end if;
  update public.processing_metrics r
  set status = 'queued', completed_at = null, priority = 'scheduled', worked_seconds = 0, given_back = 0,
    attempts = (select s.max_attempts - 1 from public.service_settings s)
  where r.id = v_run;
  perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_run, 'scheduled');
  return v_run;
end $function$;

revoke all on function "sediment"."revive_run"(public.partitions) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.take_slot()
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_slot integer;
begin
  for v_slot in
    select s.slot from public.worker_slots s
    where s.slot <= (select greatest(x.max_workers, 1) from public.service_settings x)
      and not exists (select 1 from public.partitions p where p.lease_slot = s.slot and p.lease_expires_at is not null)
    order by s.slot
  loop
    perform 1 from public.worker_slots s where s.slot = v_slot for update skip locked;
    -- look again under the lock: whoever held it may have claimed
    if found and not exists (
      select 1 from public.partitions p where p.lease_slot = v_slot and p.lease_expires_at is not null)
    then
      return v_slot;
    end if;
  end loop;
  return null;
end $function$;

revoke all on function "sediment"."take_slot"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.trip_breaker(p_partition text, p_part text, p_code text, p_message text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into b from public.circuit_breaker x for no key update skip locked;
  if not found or b.state = 'open' then
    return;
  end if;
  select * into strict s from public.service_settings;
  if b.suspect is null or b.suspect = p_partition or b.part is distinct from p_part
    or b.suspect_at < v_now - make_interval(secs => s.breaker_window_seconds)
  then
    update public.circuit_breaker x
    set suspect = p_partition, suspect_at = v_now, part = p_part, error_code = p_code,
      error_message = left(p_message, 2000);
    return;
  end if;
  update public.circuit_breaker x
  set state = 'open', opened_at = v_now, part = p_part, error_code = p_code, error_message = left(p_message, 2000),
    suspect = null, suspect_at = null, probes_passed = 0, probes_failed = 0, probe_until = null,
    probe_at = v_now + make_interval(secs => s.breaker_probe_seconds);
  perform sediment.raise_alert('breaker_opened', format('Sediment stopped compaction: %s (%s) at two partitions, now %s',
    p_code, p_part, left(p_message, 500)), jsonb_build_object('message', left(p_message, 2000), 'part', p_part));
end $function$;

revoke all on function "sediment"."trip_breaker"(text, text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.wake_probe()
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  v_now timestamptz := clock_timestamp();
begin
  select * into strict b from public.circuit_breaker;
  if b.state <> 'open' then
    return null;
  end if;
  return b.probe_at <= v_now and (b.probe_until is null or b.probe_until <= v_now)
    and sediment.pings_queued('/compactor') = 0 and sediment.ping_functions('/compactor') is not null;
end $function$;

revoke all on function "sediment"."wake_probe"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.write_commits(p_calls sediment.commit_call[], p_files sediment.commit_file[])
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
  v_new_schemas boolean;
  v_new_parts boolean;
  v_delay integer;
  v_versions public.dataset_versions[];
  v_answers jsonb;
begin
  -- What is known already is asked for once: schemas and partitions are never deleted.
  with parts as materialized (
    select f.dataset_id, f."table", f.period_tag, min(f.ordinality)::integer as first_file,
      max(f.ordinality)::integer as last_file, sum(f.byte_length)::bigint as bytes, sum(f.row_count) as rows,
      sum(f.uncompressed_bytes) as uncompressed, array_agg(distinct f.n) as calls,
      bool_or(k.fingerprint is null) as new_schemas
    from unnest(p_files) with ordinality as f
    left join public.file_schemas k on k.fingerprint = any (array[f.schema_fingerprint])
    group by f.dataset_id, f."table", f.period_tag
  )
  select array_agg(row(p.dataset_id, p."table", p.period_tag, p.first_file, p.last_file, p.bytes, p.calls,
      null)::sediment.partition_change order by p.first_file),
    bool_or(x.dataset_id is null), bool_or(p.new_schemas),
    (select array_agg(row(t.dataset_id, t.files, t.bytes, t.rows, t.uncompressed, null)::sediment.dataset_change)
      from (
        select d.dataset_id, sum(d.last_file - d.first_file + 1) as files, sum(d.bytes) as bytes, sum(d.rows) as rows,
          sum(d.uncompressed) as uncompressed
        from parts d group by d.dataset_id
      ) t),
    (select s.realtime_delay_seconds from public.service_settings s where s.id)
  into strict v_parts, v_new_parts, v_new_schemas, v_changes, v_delay
  from parts p
  left join public.partitions x
    on x.dataset_id = any (array[p.dataset_id]) and x."table" = p."table" and x.period_tag = p.period_tag;

  if v_new_schemas then
    perform sediment.keep_schemas(array_agg(f.schema_fingerprint), array_agg(f.schema)) from unnest(p_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if v_new_parts then
    insert into public.partitions (dataset_id, "table", period_tag)
    select f.dataset_id, f."table", f.period_tag from unnest(v_parts) as f
    -- an insert would wait for whoever updates the row that is there
    where not exists (select 1 from public.partitions x
      where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
    order by 1, 2, 3
    on conflict (dataset_id, "table", period_tag) do nothing;
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

  update public.objects x
  set state = 'stored', size = c.object_size, etag = c.etag, expires_at = null, updated_at = v_now
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
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at, checksum)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, f.etag, 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts, f.schema_fingerprint, f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now, f.checksum
    from unnest(p_files) with ordinality as f
    returning id, upload_id, "table", period_tag, ordinal, row_count
  ), answered as (
    update public.uploads u
    set answer = jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
      'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', i.files, 'runs', r.runs)
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select jsonb_agg(jsonb_build_object('id', i.id, 'table', i."table", 'period_tag', i.period_tag,
        'ordinal', i.ordinal, 'row_count', i.row_count) order by i.ordinal) as files
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

ALTER TABLE "public"."battle_files" ADD CONSTRAINT "battle_files_checksum_check" CHECK ((checksum ~ '^[0-9a-f]{16}$'::text));

ALTER TABLE "public"."objects" ADD CONSTRAINT "objects_kind_check" CHECK ((kind = ANY (ARRAY['fragment'::text, 'incoming'::text, 'compacted'::text, 'asset'::text, 'probe'::text])));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_breaker_probe_seconds_check" CHECK ((breaker_probe_seconds > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_breaker_window_seconds_check" CHECK ((breaker_window_seconds > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_second_look_seconds_check" CHECK ((second_look_seconds > 0));

CREATE TRIGGER note_plan_change AFTER UPDATE OF target_file_bytes, target_row_group_bytes, healthy_row_group_bytes, target_page_bytes, min_inputs, max_age_seconds, codec ON public.service_settings FOR EACH STATEMENT EXECUTE FUNCTION sediment.note_plan_change();

CREATE TRIGGER note_plan_change AFTER INSERT OR DELETE OR UPDATE ON public.table_settings FOR EACH STATEMENT EXECUTE FUNCTION sediment.note_plan_change();

CREATE POLICY "service_all" ON "public"."circuit_breaker" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."worker_slots" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON COLUMN "public"."service_settings"."breaker_probe_seconds" IS 'Pause before the first probe while claims are stopped; it doubles with each that fails, up to backoff_cap_seconds. Unit: seconds. Default: 10.';

COMMENT ON COLUMN "public"."service_settings"."breaker_window_seconds" IS 'Failures of what all work stands on, at two partitions within this time, stop claims until probes succeed. Unit: seconds. Default: 600 (10 min).';

COMMENT ON COLUMN "public"."service_settings"."max_workers" IS 'How many workers may hold partitions at once; with 0 the clockwork wakes none, and uploads go on. Unit: workers. Default: 4.';

COMMENT ON COLUMN "public"."service_settings"."plan_changed_at" IS 'When plans last came to go by another planner or other settings; the catalog keeps it. Unit: none. Default: -infinity.';

COMMENT ON COLUMN "public"."service_settings"."planner_version" IS 'The newest planner that has closed a run; the catalog keeps it. Unit: none. Default: 0.';

COMMENT ON COLUMN "public"."service_settings"."second_look_seconds" IS 'How long a file whose bytes were gone or changed is left alone before a second look decides. Unit: seconds. Default: 120 (2 min).';

COMMENT ON TABLE "public"."circuit_breaker" IS 'One row: whether claims are stopped, and why.';

COMMENT ON TABLE "public"."worker_slots" IS 'A row for each worker that may hold a lease at a time.';

REVOKE ALL ON FUNCTION "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb, text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "public"."fail_compaction"(uuid, bigint, text, text, text, boolean, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."fail_compaction"(uuid, bigint, text, text, text, boolean, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."finish_probe"(bigint, boolean, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."finish_probe"(bigint, boolean, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."quarantine_file"(uuid, bigint, bigint, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."quarantine_file"(uuid, bigint, bigint, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."claim_message"(text, bigint, jsonb, text, integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."claim_message"(text, bigint, jsonb, text, integer, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."claim_probe"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."claim_probe"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."heal_upload"(sediment.commit_call, public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."heal_upload"(sediment.commit_call, public.uploads) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lost_files"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lost_files"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."note_plan_change"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."note_plan_change"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."pings_queued"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."pings_queued"(text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."plan_digest"(uuid, text, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."plan_digest"(uuid, text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."raise_alert"(text, text, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."raise_alert"(text, text, jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb, text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."requeue_run"(public.partitions, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."requeue_run"(public.partitions, timestamp with time zone) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."return_run"(public.partitions, text, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."return_run"(public.partitions, text, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."revive_run"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."revive_run"(public.partitions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."take_slot"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."take_slot"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."trip_breaker"(text, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."trip_breaker"(text, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."wake_probe"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."wake_probe"() TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."circuit_breaker" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."worker_slots" TO "service_role";

-- rows that new tables begin with
insert into public.circuit_breaker (id) values (true) on conflict (id) do nothing;
insert into public.worker_slots (slot) select generate_series(1, 64) on conflict (slot) do nothing;
