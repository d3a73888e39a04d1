-- A lost output is remade from the files that it replaced, while these are kept: columns for when and how often, and what
-- each output was made of. Nothing to do for an operator; outputs of before are remade too while vacuum has not been there.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb, text[]);

DROP FUNCTION "public"."stage_output"(uuid, integer, bigint, bigint, bigint[]);

ALTER TABLE "public"."battle_files" ADD COLUMN "input_count" integer;

ALTER TABLE "public"."battle_files" ADD COLUMN "remake_at" timestamp with time zone;

ALTER TABLE "public"."battle_files" ADD COLUMN "remake_tries" integer NOT NULL DEFAULT 0;

CREATE OR REPLACE FUNCTION public.commit_compaction(p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_last boolean, p_result jsonb, p_input_keys text[] DEFAULT NULL::text[], p_remakes bigint DEFAULT NULL::bigint)
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
    or (p_remakes is not null and p_output is null)
  then
    perform sediment.fail('invalid_request', 400, 'the commit is empty or not well formed');
  end if;
  if p_output is not null then
    perform sediment.keep_schemas(array[p_output -> 'schema']);
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
    if p_remakes is not null then
      v_replaced := sediment.remake_file(p, p_run, p_n, p_token, p_remakes, v_inputs, p_output, p_input_keys);
    else
      if p.isolation is not null then
        perform sediment.pass_trial(p, v_inputs, true);
      end if;
      v_replaced := sediment.replace_files(p, p_run, p_n, p_token, v_inputs, p_output, p_input_keys);
    end if;
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
    select sediment.add_worked_seconds(p) + least(s.lease_seconds, s.max_run_seconds / 2) >= s.max_run_seconds
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
    perform sediment.queue_set_visibility(p.queue, p.msg_id, v_now + interval '1 second');
    update public.partitions x
    set lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
      claimed_debt_files = null, claimed_debt_bytes = null, ready_at = v_now,
      last_decision = coalesce(v_result ->> 'decision', x.last_decision), last_considered_at = v_now
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    perform sediment.promote_waiting_run(p, 0);
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

revoke all on function "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb, text[], bigint) from public, anon, authenticated, service_role;

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
    if p_code in ('object_missing', 'object_changed') then
      perform sediment.plan_remake(f.id);
    end if;
  end if;
  -- A file set aside is progress, as a committed output is, and happens once a file: a turn that met nothing but
  -- bad ones is no failed attempt (found by the simulation: three such turns dead-lettered the sound rest).
  update public.processing_metrics r
  set files_quarantined = r.files_quarantined + (v_changed and f.state = 'quarantined')::integer,
    attempts = case when v_changed then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('file_id', p_file, 'state', f.state, 'changed', v_changed, 'look_again_at',
    case when f.state = 'active' then f.lost_since + make_interval(secs => s.second_look_seconds) end);
end $function$;

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
  d := sediment.require_dataset(p_user, p_dataset, 'writer');
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
      lost_since = null, remake_at = null
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
  perform sediment.spend_request(p_user);
  return jsonb_build_object('dataset_id', d.id, 'files', v_files, 'requested', v_requested);
end $function$;

CREATE OR REPLACE FUNCTION public.stage_output(p_run uuid, p_n integer, p_token bigint, p_expected_bytes bigint, p_inputs bigint[] DEFAULT NULL::bigint[], p_remakes bigint DEFAULT NULL::bigint)
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

  -- A try that fails, whatever of, is made again later, ten times at most: what it fails of costs the rest nothing.
  if p_remakes is not null then
    update public.battle_files f
    set remake_tries = f.remake_tries + 1,
      remake_at = case when f.remake_tries < 9 then clock_timestamp() + make_interval(secs => least(86400,
        (select s.idle_recheck_seconds from public.service_settings s) * power(2, f.remake_tries))) end
    where f.id = p_remakes and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.remake_at is not null;
    if not found then
      perform sediment.fail('inputs_changed', 409, format('output %s is not to be remade any more', p_remakes));
    end if;
  end if;

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

revoke all on function "public"."stage_output"(uuid, integer, bigint, bigint, bigint[], bigint) from public, anon, authenticated, service_role;

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
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag,
        coalesce(v_msg.priority, p_queue), 'message', 0);
    end if;
    return null;
  end if;

  v_now := clock_timestamp();
  if p.lease_expires_at > v_now then
    perform sediment.queue_set_visibility(p_queue, p_msg_id, p.lease_expires_at);
    return null;
  end if;
  if p.lease_expires_at is not null then
    perform sediment.lose_worker(p);
    return null;
  end if;
  if p.ready_at > v_now then
    perform sediment.queue_set_visibility(p_queue, p_msg_id, p.ready_at); -- it failed since we looked, and waits
    return null;
  end if;

  v_settings := sediment.partition_settings(p);
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
  perform sediment.queue_set_visibility(p_queue, p_msg_id, p.lease_expires_at);
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
    'steps', v_run.steps, 'remake', case when v_trial is null then sediment.list_remake(p) end)
    || sediment.list_inputs(p.dataset_id, p."table", p.period_tag, -1, 2000, v_trial, v_settings);
end $function$;

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
  -- lost outputs that can be remade
  select least(v_due, min(f.remake_at)) into v_due
  from public.battle_files f
  where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
    and f.removed_version is null and f.remake_at is not null;
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
    perform sediment.activate_waiting_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  else
    select r.priority into strict v_priority from public.processing_metrics r where r.id = v_next;
    perform sediment.activate_waiting_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  end if;

  if p_progress and v_due <= v_now then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
    return true;
  end if;
  return false;
end $function$;

CREATE OR REPLACE FUNCTION sediment.list_remake(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  v_ids bigint[];
begin
  for f in
    select * from public.battle_files x
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
      and x.removed_version is null and x.remake_at <= clock_timestamp()
    order by x.remake_at limit 10
  loop
    v_ids := sediment.retired_inputs(f);
    if v_ids is null then
      update public.battle_files x set remake_at = null where x.id = f.id;
      continue;
    end if;
    return jsonb_build_object('file', f.id, 'row_count', f.row_count, 'schema_fingerprint', f.schema_fingerprint,
      'schema', (select s.schema from public.file_schemas s
        where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
      'inputs', (select jsonb_agg(jsonb_build_object(
        'id', i.id, 'object_key', i.object_key, 'start_byte', i.start_byte, 'byte_length', i.byte_length,
        'level', i.level, 'seq_min', i.seq_min, 'seq_max', i.seq_max, 'row_count', i.row_count,
        'row_group_count', i.row_group_count, 'uncompressed_bytes', i.uncompressed_bytes,
        'value_count', i.value_count, 'merge_facts', i.merge_facts, 'schema_fingerprint', i.schema_fingerprint,
        'state', i.state, 'checksum', i.checksum, 'etag', i.etag, 'uploaded_at', i.uploaded_at, 'rewrite', null)
        order by i.seq_min) from public.battle_files i where i.id = any (v_ids)));
  end loop;
  return null;
end $function$;

revoke all on function "sediment"."list_remake"(public.partitions) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.plan_remake(p_file bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.battle_files f set remake_at = clock_timestamp(), remake_tries = 0
  where f.id = p_file and f.level > 0 and f.removed_version is null and sediment.retired_inputs(f) is not null;
end $function$;

revoke all on function "sediment"."plan_remake"(bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.remake_file(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_file bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  v_out record;
begin
  select * into f from public.battle_files x
  where x.id = p_file and x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
    and x.removed_version is null and x.state = 'quarantined'
    and x.quarantine_code in ('object_missing', 'object_changed');
  if not found then
    perform sediment.fail('inputs_changed', 409, format('output %s is not missed any more', p_file));
  end if;
  if (select array_agg(i.id order by i.id) from unnest(p_inputs) as i(id)) is distinct from
    (select array_agg(i.id order by i.id) from unnest(sediment.retired_inputs(f)) as i(id))
  then
    perform sediment.fail('inputs_changed', 409, format('these are not the files that output %s replaced', p_file));
  end if;
  if p_input_keys is null or exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    join public.battle_files x on x.id = i.id where x.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text, row_count bigint,
    row_group_count integer, uncompressed_bytes bigint, value_count bigint, merge_facts jsonb, schema_fingerprint text,
    stats jsonb, checksum text);
  if (v_out.row_count, v_out.schema_fingerprint) is distinct from (f.row_count, f.schema_fingerprint) then
    perform sediment.fail('merge_rows_differ', 500, format('output %s held %s rows of schema %s, the remade one %s of %s',
      p_file, f.row_count, f.schema_fingerprint, v_out.row_count, v_out.schema_fingerprint));
  end if;

  perform 1 from public.datasets d where d.id = p.dataset_id for no key update;
  perform sediment.refuse_marked_inputs(p, p_run, array[p_file]);
  perform sediment.store_output(p_run, p_n, p_token, p_output);
  update public.battle_files x
  set object_key = v_out.object_key, byte_length = v_out.size, etag = v_out.etag,
    row_group_count = v_out.row_group_count, uncompressed_bytes = v_out.uncompressed_bytes,
    value_count = v_out.value_count, merge_facts = v_out.merge_facts, stats = v_out.stats, checksum = v_out.checksum,
    schema_digest = sediment.schema_digest(p_output -> 'schema'), lost_since = null, state = 'active',
    quarantine_code = null, quarantine_reason = null, quarantined_at = null, remake_at = null, remake_tries = 0
  where x.id = f.id;
  update public.datasets d
  set file_size_bytes = d.file_size_bytes + v_out.size - f.byte_length,
    uncompressed_bytes = d.uncompressed_bytes + v_out.uncompressed_bytes - f.uncompressed_bytes
  where d.id = p.dataset_id;
  -- whoever holds a URL of an object whose bytes changed may still read it
  perform sediment.retire_object(f.object_key, 'its output was remade', sediment.signed_url_life());
  update public.processing_metrics r set attempts = 0 where r.id = p_run;
  return jsonb_build_object('version', null, 'file_id', f.id);
end $function$;

revoke all on function "sediment"."remake_file"(public.partitions, uuid, integer, bigint, bigint, bigint[], jsonb, text[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.replace_files(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_in record;
  v_out record;
  v_dedupe boolean;
  v_marks constant boolean := sediment.has_marks(p.dataset_id);
  v_version public.dataset_versions;
  v_removed bigint;
  v_now timestamptz := clock_timestamp();
  v_file bigint;
begin
  select count(distinct f.id) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.row_group_count), 0)::bigint as row_groups,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed, max(f.level) as level,
    min(f.seq_min) as seq_min, max(f.seq_max) as seq_max,
    max(coalesce(f.youngest_at, f.uploaded_at)) as youngest_at,
    -- where a value of each does not fit a wider type, one of the output does not either
    case when bool_and(f.apart ->> 'kind' = 'values') then (array_agg(f.apart order by f.id))[1] end as apart
  into strict v_in
  from unnest(p_inputs) as i(id)
  cross join lateral (select * from public.battle_files x where x.id = i.id offset 0) f
  where f.removed_version is null and f.state = 'active'
    and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag;
  if v_in.files <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs are visible and sound', v_in.files, cardinality(p_inputs)));
  end if;

  -- What was read is what is there: an input that was healed since holds other bytes.
  if p_input_keys is not null and exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    cross join lateral (select x.object_key from public.battle_files x where x.id = i.id offset 0) f
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
  -- Last writer wins only holds when nothing that was written in between stays outside: all inputs are in between, so
  -- what is there is counted.
  if v_dedupe and v_in.files < (
    select count(*) from public.battle_files f
    where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.seq_min <= v_in.seq_max and f.seq_max >= v_in.seq_min
      -- what is about to be deleted is in nobody's way, as it is in no list of inputs
      and not (v_marks and sediment.is_marked(f, 9223372036854775807)))
  then
    perform sediment.fail('inputs_not_adjacent', 409,
      format('a file between upload %s and %s is not among the inputs', v_in.seq_min, v_in.seq_max));
  end if;

  v_version := (sediment.next_versions(array[row(p.dataset_id,
    case when p_output is null then 0 else 1 end - v_in.files, coalesce(v_out.size, 0) - v_in.bytes,
    coalesce(v_out.row_count, 0) - v_in.rows, coalesce(v_out.uncompressed_bytes, 0) - v_in.uncompressed,
    coalesce(v_out.etag, ''))::sediment.dataset_change]))[1];
  perform sediment.refuse_marked_inputs(p, p_run, p_inputs);

  update public.datasets d set retired_bytes = d.retired_bytes + v_in.bytes where d.id = p.dataset_id;
  update public.battle_files f set removed_version = v_version.version
  from unnest(p_inputs) as i(id)
  where f.id = any (array[i.id]) and f.removed_version is null;
  get diagnostics v_removed = row_count;
  if v_removed <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs were still visible', v_removed, cardinality(p_inputs)));
  end if;

  if p_output is not null then
    perform sediment.store_output(p_run, p_n, p_token, p_output);
    insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest, youngest_at, apart, input_count)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum, sediment.schema_digest(p_output -> 'schema'),
      v_in.youngest_at, v_in.apart, v_in.files
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

CREATE OR REPLACE FUNCTION sediment.retired_inputs(f public.battle_files)
 RETURNS bigint[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v record;
begin
  if f.level = 0 or f.removed_version is not null then
    return null;
  end if;
  -- a version is one commit: what left with it in the partition is what the output was made of
  select array_agg(i.id order by i.seq_min) as ids, count(*) as files, sum(i.row_count) as rows,
    min(i.seq_min) as seq_min, max(i.seq_max) as seq_max
  into strict v
  from public.battle_files i
  where i.dataset_id = f.dataset_id and i.removed_version = f.added_version
    and i."table" = f."table" and i.period_tag = f.period_tag;
  if v.files = 0 or v.files <> coalesce(f.input_count, v.files)
    or (v.seq_min, v.seq_max) is distinct from (f.seq_min, f.seq_max) or v.rows < f.row_count
    -- of outputs of before nobody counted the inputs: they are all there while vacuum has not come to the version
    or f.input_count is null and exists (select 1 from public.datasets d
      where d.id = f.dataset_id and d.vacuumable_version >= f.added_version)
  then
    return null;
  end if;
  return v.ids;
end $function$;

revoke all on function "sediment"."retired_inputs"(public.battle_files) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.store_output(p_run uuid, p_n integer, p_token bigint, p_output jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_key constant text := p_output ->> 'object_key';
begin
  update public.objects o
  set state = 'stored', size = (p_output ->> 'size')::bigint, etag = p_output ->> 'etag', expires_at = null,
    updated_at = clock_timestamp()
  where o.object_key = v_key and o.state = 'staged'
    and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token;
  if not found then
    -- the sweep was here: this worker slept through its lease and the time for its PUT, though nobody took over
    if exists (select 1 from public.objects o where o.object_key = v_key
      and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token)
    then
      perform sediment.fail('lease_lost', 409, format('%s was given up', v_key));
    end if;
    perform sediment.fail('object_missing', 500,
      format('%s is not the staged output %s of this run and token', v_key, p_n));
  end if;
end $function$;

revoke all on function "sediment"."store_output"(uuid, integer, bigint, jsonb) from public, anon, authenticated, service_role;

ALTER TABLE "public"."battle_files" ADD CONSTRAINT "battle_files_input_count_check" CHECK ((input_count > 0));

ALTER TABLE "public"."battle_files" ADD CONSTRAINT "battle_files_remake_tries_check" CHECK ((remake_tries >= 0));

REVOKE ALL ON FUNCTION "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb, text[], bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb, text[], bigint) TO "service_role";

REVOKE ALL ON FUNCTION "public"."stage_output"(uuid, integer, bigint, bigint, bigint[], bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."stage_output"(uuid, integer, bigint, bigint, bigint[], bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."list_remake"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."list_remake"(public.partitions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."plan_remake"(bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."plan_remake"(bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."remake_file"(public.partitions, uuid, integer, bigint, bigint, bigint[], jsonb, text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."remake_file"(public.partitions, uuid, integer, bigint, bigint, bigint[], jsonb, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."retired_inputs"(public.battle_files) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."retired_inputs"(public.battle_files) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."store_output"(uuid, integer, bigint, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."store_output"(uuid, integer, bigint, jsonb) TO "service_role";
