-- A run opens when a plan would act: what waits for company is counted on its partition, and its id is kept until then.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP INDEX "public"."partitions_active";

DROP VIEW "public"."dataset_status";

DROP VIEW "public"."partition_status";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_check3";

DROP FUNCTION "sediment"."has_marks"(uuid);

DROP FUNCTION "sediment"."open_run"(uuid, text, text, text, text);

DROP FUNCTION "sediment"."pending_seqs"(uuid, text, text);

DROP FUNCTION "sediment"."seqs_of"(public.battle_files);

ALTER TABLE "public"."partitions" ADD COLUMN "tier_files" integer[];

ALTER TABLE "public"."partitions" ADD COLUMN "tier_oldest" timestamp with time zone[];

ALTER TABLE "public"."service_settings" ADD COLUMN "idle_history_seconds" integer NOT NULL DEFAULT 3600;

CREATE OR REPLACE FUNCTION public.claim_compaction(p_worker text, p_lease_seconds integer DEFAULT 300)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_turns constant text[] :=
    '{manual,realtime,manual,manual,realtime,manual,scheduled,realtime,manual,manual}'::text[];
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
    v_tried := '{}'::bigint[];
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

CREATE OR REPLACE FUNCTION public.commit_compaction(p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_last boolean, p_result jsonb, p_input_keys text[] DEFAULT NULL::text[], p_remakes bigint DEFAULT NULL::bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  p public.partitions;
  r public.processing_metrics;
  v_result jsonb := coalesce(p_result, '{}');
  v_inputs bigint[] := coalesce(p_inputs, '{}');
  v_more boolean := coalesce((p_result ->> 'more')::boolean, false);
  v_replaced jsonb := '{}'::jsonb;
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
      v_replaced := sediment.replace_files(p, p_run, p_n, p_token, v_inputs, p_output, p_input_keys,
        v_result -> 'dropped');
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
    -- a message of its own: pgmq hides the old one for a second at least, and who goes on would find nothing
    perform sediment.queue_archive(p.queue, p.msg_id);
    p.msg_id := sediment.queue_send(p.queue, p.run_id, p.dataset_id, p."table", p.period_tag, 0);
    update public.partitions x
    set msg_id = p.msg_id, lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
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

CREATE OR REPLACE FUNCTION public.delete_upload(p_user uuid, p_upload uuid, p_purge boolean DEFAULT false, p_merged boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
  u public.uploads;
  d public.datasets;
  v_slices record;
  v_version bigint;
  v_key record;
begin
  select * into x from public.deletions y where y.upload_id = p_upload;
  if found and (p_user is null or sediment.dataset_role(p_user, x.dataset_id) = 'owner') then
    return sediment.deletion_receipt(x);
  end if;
  select * into u from public.uploads y where y.id = p_upload;
  if not found or p_user is not null and sediment.dataset_role(p_user, u.dataset_id) is distinct from 'owner' then
    perform sediment.fail('not_found', 404, format('there is no upload %s', p_upload));
  end if;

  -- partitions by key, then the dataset: from here on no merge takes the files, and no other deletion marks them
  perform 1 from public.partitions p
  where p.dataset_id = u.dataset_id and (p."table", p.period_tag) in (
    select s."table", s.period_tag from sediment.upload_slices(u) as s)
  order by p."table", p.period_tag
  for no key update;
  select * into strict d from public.datasets y where y.id = u.dataset_id for no key update;
  if d.deletion_version > sediment.upload_version(u) and sediment.upload_deleted_at(u) is not null then
    perform sediment.fail('upload_deleted', 410,
      format('upload %s was deleted on %s', u.id, sediment.upload_deleted_at(u)));
  end if;

  with slices as materialized (
    select a."table", a.period_tag, a.row_count as rows,
      own.id, own.row_count, own.byte_length, own.uncompressed_bytes, coalesce(a.seq, was.seq_min) as seq
    from sediment.upload_slices(u) as a
    left join public.battle_files was on coalesce(was.upload_id, was.run_id) = u.id and was.ordinal = a.ordinal
    left join public.battle_files own on own.id = was.id and own.removed_version is null
    where not exists (
      select 1 from public.deletions y where y.dataset_id = u.dataset_id
        and y.version > sediment.upload_version(u) and y.upload_id is null
        and (y."table" is null or y."table" = a."table")
        and (y.period_tag is null or y.period_tag = a.period_tag))
  ), outputs as (
    select s."table", s.period_tag, s.seq, f.id, f.provenance_length is not null as known
    from slices s
    join public.battle_files f on f.dataset_id = u.dataset_id and f."table" = s."table" and f.period_tag = s.period_tag
      and f.removed_version is null and f.level > 0 and sediment.seqs_of(f) @> s.seq
    where s.id is null
  )
  select count(s.id) as files, coalesce(sum(s.row_count), 0)::bigint as rows,
    coalesce(sum(s.byte_length), 0)::bigint as bytes, coalesce(sum(s.uncompressed_bytes), 0)::bigint as uncompressed,
    array_agg(s.id) filter (where s.id is not null) as ids,
    coalesce(bool_or(s.id is null), false) as merged,
    coalesce(bool_or(s.id is null and s.seq is null), false)
      or exists (select 1 from outputs o where not o.known) as unknown,
    jsonb_agg(jsonb_build_object('table', s."table", 'period_tag', s.period_tag, 'seq', s.seq, 'rows', s.rows,
      'pending', exists (select 1 from outputs o
        where (o."table", o.period_tag, o.seq) = (s."table", s.period_tag, s.seq))))
      -- what ended by its age is gone already
      filter (where s.id is not null or exists (select 1 from outputs o
        where (o."table", o.period_tag, o.seq) = (s."table", s.period_tag, s.seq))) as slices,
    exists (select 1 from outputs) as pending
  into strict v_slices from slices s;
  if v_slices.merged and (v_slices.unknown or not coalesce(p_merged, false)) then
    perform sediment.fail('provenance_unknown', 422,
      format('rows of upload %s were merged with those of others, and can''t be told from them', u.id),
      'its period, its table or its dataset');
  end if;

  v_version := ((sediment.next_versions(array[row(u.dataset_id, -v_slices.files, -v_slices.bytes, -v_slices.rows,
    -v_slices.uncompressed, null)::sediment.dataset_change]))[1]).version;
  update public.battle_files f set removed_version = v_version where f.id = any (v_slices.ids);
  insert into public.deletions (kind, user_id, requested_by, dataset_id, upload_id, version, purge, state, files, rows,
    bytes, removed_at)
  values ('upload', d.user_id, p_user, d.id, u.id, v_version, coalesce(p_purge, false),
    case when v_slices.pending then 'pending' else 'removed' end, v_slices.files, v_slices.rows, v_slices.bytes,
    case when not v_slices.pending then clock_timestamp() end)
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version, retired_bytes = y.retired_bytes + v_slices.bytes,
    oldest_kept_version = case when x.purge and not v_slices.pending then v_version else y.oldest_kept_version end,
    oldest_kept_at = case when x.purge and not v_slices.pending then clock_timestamp() else y.oldest_kept_at end
  where y.id = d.id;
  insert into public.deleted_slices (dataset_id, "table", period_tag, seq, deletion_id, rows, version)
  select d.id, s."table", s.period_tag, s.seq, x.id, s.rows, case when not s.pending then v_version end
  from jsonb_to_recordset(v_slices.slices)
    as s("table" text, period_tag text, seq bigint, rows bigint, pending boolean);
  perform sediment.look_again(d.id, k."table", k.period_tag) from (
    select distinct s."table", s.period_tag
    from jsonb_to_recordset(v_slices.slices) as s("table" text, period_tag text, pending boolean)
    where not s.pending) k;
  for v_key in
    select distinct s."table", s.period_tag
    from jsonb_to_recordset(v_slices.slices) as s("table" text, period_tag text, pending boolean)
    where s.pending order by 1, 2
  loop
    update public.partitions p set demand_seq = p.demand_seq + 1
    where p.dataset_id = d.id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    perform sediment.wake_partition(d.id, v_key."table", v_key.period_tag, 'realtime', 'request', 0);
  end loop;
  return sediment.deletion_receipt(x);
end $function$;

CREATE OR REPLACE FUNCTION public.end_aged(p_limit integer DEFAULT 2000, p_partitions integer DEFAULT 200)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  w public.age_walks;
  v_keys jsonb;
  v_count integer;
  v_last jsonb;
  v_aged jsonb;
  v_sum record;
  v_version bigint;
begin
  insert into public.age_walks (dataset_id)
  select distinct t.dataset_id from public.table_settings t
  where (t.keep_rows_seconds is not null or t.keep_periods is not null)
    and not exists (select 1 from public.age_walks x where x.dataset_id = t.dataset_id)
  on conflict (dataset_id) do nothing;
  select x.* into w from public.age_walks x
  where x.walked_at <= v_now - interval '10 minutes' and exists (
    select 1 from public.table_settings t
    where t.dataset_id = x.dataset_id and (t.keep_rows_seconds is not null or t.keep_periods is not null))
  order by x.walked_at limit 1
  for no key update of x skip locked;
  if not found then
    return jsonb_build_object('dataset_id', null, 'version', null, 'files', 0, 'rows', 0, 'more', false);
  end if;

  -- partitions by key, then the dataset: what is read below can't change any more
  select coalesce(jsonb_agg(jsonb_build_object('table', k."table", 'period_tag', k.period_tag)
      order by k."table", k.period_tag), '[]'), count(*)
  into strict v_keys, v_count from (
    select p."table", p.period_tag from public.partitions p
    where p.dataset_id = w.dataset_id and (p."table", p.period_tag) > (w.after_table, w.after_period_tag)
    order by p."table", p.period_tag limit p_partitions
    for no key update
  ) k;
  perform 1 from public.datasets d where d.id = w.dataset_id for no key update;

  with rules as materialized (
    select k."table", k.period_tag, coalesce(t.keep_rows_seconds, d.keep_rows_seconds) as seconds,
      coalesce(t.keep_periods, d.keep_periods) as periods
    from jsonb_to_recordset(v_keys) as k("table" text, period_tag text)
    left join public.table_settings t on t.dataset_id = w.dataset_id and t."table" = k."table"
    left join public.table_settings d on d.dataset_id = w.dataset_id and d."table" = '*'
  ), kept as materialized (
    select r."table", sediment.last_kept_period(w.dataset_id, r."table", min(r.periods), v_now) as since
    from rules r where r.periods is not null group by r."table"
  )
  select coalesce(jsonb_agg(to_jsonb(a)), '[]') into strict v_aged from (
    select f.id, f."table", f.period_tag, f.row_count, f.byte_length, f.uncompressed_bytes,
      case when sediment.date_of_tag(r.period_tag) < k.since then 'keep_periods' else 'keep_rows_seconds' end as rule
    from rules r
    left join kept k on k."table" = r."table"
    join public.battle_files f on f.dataset_id = w.dataset_id and f."table" = r."table" and f.period_tag = r.period_tag
      and f.removed_version is null
    where (sediment.date_of_tag(r.period_tag) < k.since
        or coalesce(f.youngest_at, f.uploaded_at) <= v_now - make_interval(secs => r.seconds))
      and not (sediment.has_marks(w.dataset_id) and sediment.is_marked(f, 9223372036854775807))
    order by f."table", f.period_tag, f.seq_min limit p_limit
  ) a;

  select count(*) as files, coalesce(sum(a.row_count), 0)::bigint as rows, coalesce(sum(a.byte_length), 0)::bigint as bytes,
    coalesce(sum(a.uncompressed_bytes), 0)::bigint as uncompressed
  into strict v_sum
  from jsonb_to_recordset(v_aged) as a(row_count bigint, byte_length bigint, uncompressed_bytes bigint);
  if v_sum.files > 0 then
    v_version := ((sediment.next_versions(array[row(w.dataset_id, -v_sum.files, -v_sum.bytes, -v_sum.rows,
      -v_sum.uncompressed, null)::sediment.dataset_change]))[1]).version;
    update public.datasets d set retired_bytes = d.retired_bytes + v_sum.bytes where d.id = w.dataset_id;
    update public.battle_files f set removed_version = v_version
    where f.id in (select a.id from jsonb_to_recordset(v_aged) as a(id bigint));
    insert into public.ended_rows (dataset_id, "table", period_tag, version, rule, files, rows, bytes)
    select w.dataset_id, a."table", a.period_tag, v_version, a.rule, count(*), sum(a.row_count), sum(a.byte_length)
    from jsonb_to_recordset(v_aged) as a("table" text, period_tag text, rule text, row_count bigint, byte_length bigint)
    group by a."table", a.period_tag, a.rule;
    perform sediment.look_again(w.dataset_id, k."table", k.period_tag)
    from (select distinct a."table", a.period_tag from jsonb_to_recordset(v_aged) as a("table" text, period_tag text)) k;
    perform sediment.settle_slices(w.dataset_id, k."table", k.period_tag, v_version)
    from (select distinct a."table", a.period_tag from jsonb_to_recordset(v_aged) as a("table" text, period_tag text)) k
    where sediment.pending_seqs(w.dataset_id, k."table", k.period_tag) is not null;
  end if;

  -- a slice that was full looks at the same partitions again
  if v_sum.files < p_limit then
    v_last := case when v_count = p_partitions then v_keys -> -1 end;
    update public.age_walks x
    set after_table = coalesce(v_last ->> 'table', ''), after_period_tag = coalesce(v_last ->> 'period_tag', ''),
      walked_at = case when v_last is null then v_now else x.walked_at end
    where x.dataset_id = w.dataset_id;
  end if;
  return jsonb_build_object('dataset_id', w.dataset_id, 'version', v_version, 'files', v_sum.files, 'rows', v_sum.rows,
    'more', true);
end $function$;

CREATE OR REPLACE FUNCTION public.run_status(p_user uuid, p_run uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  r public.processing_metrics;
  v_kept public.partitions;
  v_children record;
  v_status text;
  v_step text;
begin
  select * into r from public.processing_metrics x where x.id = p_run;
  if not found then
    select * into v_kept from public.partitions x where coalesce(x.next_run_id, x.run_id) = p_run;
    if found then
      r := jsonb_populate_record(r, jsonb_build_object('id', p_run, 'dataset_id', v_kept.dataset_id, 'table', v_kept."table",
        'period_tag', v_kept.period_tag, 'operation', 'compaction', 'trigger', 'upload',
        'priority', coalesce(v_kept.queue, 'realtime'), 'status', 'queued', 'attempts', 0, 'commits', 0, 'step',
        case when v_kept.msg_id is null then 'not_due' end, 'queued_at', coalesce((
          select min(o.at) from unnest(v_kept.tier_oldest) as o(at)), v_kept.debt_oldest, v_kept.created_at)));
    end if;
  end if;
  if r.id is null or (p_user is not null and sediment.dataset_role(p_user, r.dataset_id) is null) then
    perform sediment.fail('run_not_found', 404, format('there is no run %s', p_run));
  end if;

  v_status := case r.status when 'queued' then 'queued' when 'running' then 'running'
    when 'success' then 'success' else 'error' end;
  v_step := r.step;
  if r.operation = 'fan_out' then
    select count(*) as total, count(c.completed_at) as done,
      count(*) filter (where c.status in ('failure', 'dlq_failure', 'timeout')) as failed
    into strict v_children
    from public.run_children k join public.processing_metrics c on c.id = k.child_id where k.parent_id = r.id;
    v_status := case
      when r.completed_at is not null and v_children.total = 0 then v_status -- the history of its runs is gone
      when r.fan_out_cursor is not null and v_children.total = 0 then 'queued'
      when r.fan_out_cursor is not null or v_children.done < v_children.total then 'running'
      when v_children.failed > 0 then 'error'
      else 'success' end;
  end if;

  return jsonb_build_object('instanceId', r.id, 'dataset_id', r.dataset_id, 'table', sediment.name_of(r.dataset_id, r."table"),
    'period_tag', r.period_tag, 'operation', r.operation, 'trigger', r.trigger, 'priority', r.priority,
    'status', v_status, 'state', r.status, 'step', v_step, 'progress', r.progress,
    -- the plan of the attempt at work, before its first commit too
    'decision', coalesce(case when r.status = 'running' then r.steps #>> '{merge,decision}' end, r.decision),
    'attempts', r.attempts, 'commits', r.commits,
    'output', case when r.operation = 'compaction' and (r.completed_at is not null or r.commits > 0) then
      coalesce(r.output, '{}') || jsonb_build_object('files_before', r.files_before, 'files_after', r.files_after,
        'row_groups_before', r.row_groups_before, 'row_groups_after', r.row_groups_after,
        'rows_before', r.rows_before, 'rows_after', r.rows_after, 'bytes_before', r.bytes_before,
        'bytes_after', r.bytes_after, 'files_quarantined', r.files_quarantined) end,
    'error', case when r.error_code is not null and r.status <> 'success' then
      jsonb_build_object('code', r.error_code, 'message', r.error_message, 'step', r.error_step) end,
    'children', case when r.operation = 'fan_out' then to_jsonb(v_children) end,
    'queued_at', r.queued_at, 'started_at', r.started_at, 'completed_at', r.completed_at,
    'next_attempt_at', (select p.ready_at from public.partitions p
      where r.status = 'queued' and p.dataset_id = r.dataset_id and p."table" = r."table"
        and p.period_tag = r.period_tag and p.run_id = r.id),
    'due_at', v_kept.due_at);
end $function$;

CREATE OR REPLACE FUNCTION sediment.activate_waiting_run(p_dataset uuid, p_table text, p_period_tag text, p_run uuid, p_priority text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_delay integer := 0;
  v_ready timestamptz;
begin
  if p_priority = 'realtime' then
    select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
  end if;
  -- before the send: a message never shows before its partition says that it is ready
  v_ready := clock_timestamp() + make_interval(secs => v_delay);
  update public.partitions x
  set run_id = p_run, queue = p_priority, due_at = null, dead_since = null, next_run_id = null,
    ready_at = v_ready, debt_oldest = case when x.debt_files > 0 then coalesce(x.debt_oldest,
      (select min(o.at) from unnest(x.tier_oldest) as o(at)), clock_timestamp()) end,
    msg_id = sediment.queue_send(p_priority, p_run, p_dataset, p_table, p_period_tag, v_delay)
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
end $function$;

CREATE OR REPLACE FUNCTION sediment.add_tiers(p_files integer[], p_more integer[])
 RETURNS integer[]
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  if p_files is null or p_more is null then
    return null;
  end if;
  for i in 1 .. cardinality(p_more) loop
    p_files[i] := coalesce(p_files[i], 0) + coalesce(p_more[i], 0);
  end loop;
  return p_files;
end $function$;

revoke all on function "sediment"."add_tiers"(integer[], integer[]) from public, anon, authenticated, service_role;

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
  insert into public.processing_metrics as r (id, user_id, dataset_id, "table", period_tag, operation, trigger, priority,
    status, step, attempts, worker, queued_at, started_at)
  select p.run_id, d.user_id, d.id, p."table", p.period_tag, 'compaction', 'upload', p.queue, 'running',
    'validate-dataset', 1, p_worker, p.ready_at, v_now
  from public.datasets d where d.id = p.dataset_id
  on conflict (id) do update
  set status = 'running', step = 'validate-dataset', attempts = r.attempts + 1, worker = p_worker,
    started_at = coalesce(r.started_at, v_now)
  returning * into strict v_run;
  v_until := v_now + make_interval(secs => least(p_lease_seconds,
    greatest((v_settings ->> 'max_run_seconds')::integer - v_run.worked_seconds, 1)));
  update public.partitions x
  set token = x.token + 1, lease_worker = p_worker, lease_slot = p_slot, staged_inputs = null, claimed_at = v_now, lease_expires_at = v_until,
    ready_at = v_until, claimed_demand_seq = x.demand_seq, claimed_debt_files = x.debt_files,
    claimed_debt_bytes = x.debt_bytes, tier_files = '{}', tier_oldest = null
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
  returning * into strict p;
  perform sediment.queue_set_visibility(p_queue, p_msg_id, p.lease_expires_at);

  return jsonb_build_object(
    'claimed', true, 'run_id', p.run_id, 'dataset_id', p.dataset_id, 'table', p."table",
    'period_tag', p.period_tag, 'user_id', v_run.user_id, 'priority', v_run.priority, 'token', p.token,
    'lease_expires_at', p.lease_expires_at,
    'lease_seconds', extract(epoch from p.lease_expires_at - v_now), 'claimed_at', v_now, 'attempt', v_run.attempts, 'demand_seq', p.demand_seq,
    'forced', p.forced_seq > p.done_seq or v_trial is not null, 'trial', v_trial is not null, 'outputs_committed', v_run.commits, 'settings', v_settings,
    'steps', v_run.steps, 'remake', case when v_trial is null then sediment.list_remake(p) end,
    -- one that is tried once more though nothing has passed between has no neighbour that could
    'controls', case when cardinality(v_trial) = 1 and p.isolation -> 'deaths' ? v_trial[1]::text
      and not (p.isolation ->> 'sound')::boolean then sediment.list_controls(p) else '[]' end)
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
  v_asked boolean;
  v_priority text;
  -- what a plan is made by may have changed since the claim gave it
  v_changed boolean := (select s.plan_changed_at >= p.claimed_at from public.service_settings s);
  v_settings jsonb;
  v_tiers integer[];
  v_waiting timestamptz[];
  v_wake boolean := false;
begin
  update public.processing_metrics r
  set status = 'success', completed_at = v_now, step = null, error_code = null, error_message = null,
    error_step = null, output = p_result -> 'output'
  where r.id = p.run_id;
  perform sediment.queue_archive(p.queue, p.msg_id);
  update public.dead_letters l set resolved_at = v_now, resolution = 'succeeded'
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null;

  if p_result ? 'waiting' and not v_unseen and not v_changed then
    v_tiers := array(select greatest(t.value::integer, 0)
      from jsonb_array_elements_text(p_result #> '{waiting,files}') with ordinality as t(value, n) order by t.n);
    v_waiting := array(select t.value::timestamptz
      from jsonb_array_elements_text(p_result #> '{waiting,oldest}') with ordinality as t(value, n) order by t.n);
  end if;
  select r.priority into v_priority from public.processing_metrics r where r.id = v_next;
  v_asked := found;
  if v_moved then
    v_settings := sediment.partition_settings(p);
    v_tiers := sediment.add_tiers(v_tiers, p.tier_files);
    v_waiting := sediment.oldest_of_tiers(v_waiting, p.tier_oldest);
  end if;

  -- Debt is what the planner said, and what was uploaded since the claim.
  v_oldest := case when v_files > 0 then coalesce((p_result #>> '{debt,oldest}')::timestamptz, p.claimed_at) end;
  -- Never is not the same as not yet: without debt, a time to wait for, or files that nobody looked at, nothing is due.
  if v_due is null and (v_files > 0 or v_unseen) then
    v_due := v_now;
  end if;
  v_files := v_files + p.debt_files - p.claimed_debt_files;
  v_bytes := v_bytes + p.debt_bytes - p.claimed_debt_bytes;
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
  -- What came meanwhile has its run where somebody asked for it, or where a plan would act on it.
  if v_moved then
    v_due := least(v_due, sediment.next_look(v_tiers, v_waiting, (v_settings ->> 'min_inputs')::integer,
      (v_settings ->> 'max_age_seconds')::integer, v_now));
    v_wake := v_asked or coalesce(v_due <= v_now, false);
    v_next := coalesce(v_next, gen_random_uuid());
    if v_wake and p.debt_files > p.claimed_debt_files then
      v_oldest := least(coalesce(v_oldest, p.claimed_at), p.claimed_at);
    end if;
  end if;
  -- the first planner that is heard of changes nothing
  update public.service_settings s
  set planner_version = v_planner,
    plan_changed_at = case when s.planner_version = 0 then s.plan_changed_at else v_now end
  where s.planner_version < v_planner;

  update public.partitions x
  set queue = null, msg_id = null, run_id = null, next_run_id = case when v_moved then v_next end, ready_at = null,
    lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
    claimed_debt_files = null, claimed_debt_bytes = null, done_seq = p.claimed_demand_seq,
    debt_files = v_files, debt_bytes = v_bytes, debt_oldest = v_oldest, due_at = v_due, dead_since = null,
    dead_looks = 0, idle_runs = v_idle_runs,
    plan_digest = case when v_unseen or v_changed then null
      else sediment.plan_digest(p.dataset_id, p."table", v_planner) end,
    last_decision = p_result ->> 'decision', last_considered_at = case when v_changed then p.claimed_at else v_now end,
    tier_files = v_tiers, tier_oldest = v_waiting,
    left_alone_files = greatest(coalesce((p_result ->> 'left_alone')::bigint, 0), 0)
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;

  if not v_moved and v_next is not null then
    -- whoever waited behind this run was seen by it all the same (it was claimed again since)
    perform sediment.open_run(v_next, p.dataset_id, p."table", p.period_tag, 'realtime', 'upload');
    update public.processing_metrics r
    set status = 'success', completed_at = v_now, decision = 'joined run ' || p.run_id,
      output = jsonb_build_object('joined', p.run_id)
    where r.id = v_next;
  elsif v_wake then
    perform sediment.activate_waiting_run(p.dataset_id, p."table", p.period_tag, v_next, coalesce(v_priority, 'realtime'));
    return true;
  end if;

  if p_progress and v_due <= v_now then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
    return true;
  end if;
  return false;
end $function$;

CREATE OR REPLACE FUNCTION sediment.dead_letter_run(p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text)
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
    last_decision = 'gave up: ' || p_code, dead_since = v_now, tier_files = null, tier_oldest = null
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  -- Demand that came while the run was at work gets attempts of its own.
  if p.next_run_id is not null then
    v_next := coalesce((select r.priority from public.processing_metrics r where r.id = p.next_run_id), 'realtime');
    perform sediment.activate_waiting_run(p_dataset, p_table, p_period_tag, p.next_run_id, v_next);
  end if;
  return v_letter;
end $function$;

CREATE OR REPLACE FUNCTION sediment.end_partition_run(p public.partitions)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_left record;
begin
  perform sediment.open_run(i.id, p.dataset_id, p."table", p.period_tag, 'realtime', 'upload')
  from unnest(array[p.run_id, p.next_run_id]) as i(id) where i.id is not null;
  update public.processing_metrics r
  set status = 'success', completed_at = v_now, step = null, error_code = null, error_message = null,
    error_step = null, decision = 'ended: what it was to compact was deleted'
  where r.id in (p.run_id, p.next_run_id);
  if p.msg_id is not null then
    perform sediment.queue_archive(p.queue, p.msg_id);
  end if;
  update public.dead_letters l set resolved_at = v_now, resolution = 'deleted'
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null;

  select count(*) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes, min(f.uploaded_at) as oldest
  into strict v_left from public.battle_files f
  where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
    and f.removed_version is null and f.state = 'active'
    and not (sediment.has_marks(p.dataset_id) and sediment.is_marked(f, 9223372036854775807));
  update public.partitions x
  set queue = null, msg_id = null, run_id = null, next_run_id = null, ready_at = null, token = x.token + 1,
    lease_expires_at = null, lease_worker = null, lease_slot = null, claimed_at = null, claimed_demand_seq = null,
    claimed_debt_files = null, claimed_debt_bytes = null, due_at = null, dead_since = null, dead_looks = 0,
    idle_runs = 0, staged_inputs = null, isolation = null, output_cap_bytes = null, plan_digest = null,
    tier_files = case when v_left.files = 0 then '{}'::integer[] end, tier_oldest = null,
    debt_files = v_left.files, debt_bytes = v_left.bytes, debt_oldest = v_left.oldest,
    demand_seq = x.demand_seq + (v_left.files > 0)::integer, done_seq = x.demand_seq,
    last_decision = 'ended: what it was to compact was deleted', last_considered_at = v_now
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  if v_left.files > 0 then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
  end if;
end $function$;

CREATE OR REPLACE FUNCTION sediment.fan_out(p_run uuid, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  r public.processing_metrics;
  v_key record;
  v_delay integer := 0;
  v_asked jsonb := '[]'::jsonb;
begin
  select * into strict r from public.processing_metrics x where x.id = p_run;
  if r.priority = 'realtime' then
    select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
  end if;

  for v_key in
    select x."table", x.period_tag, x.demand_seq from public.partitions x
    where x.dataset_id = r.dataset_id
      and (x."table", x.period_tag) > (r.fan_out_cursor ->> 'after_table', r.fan_out_cursor ->> 'after_period_tag')
      and (r.fan_out_cursor ->> 'table' is null or x."table" = r.fan_out_cursor ->> 'table')
      and (x.debt_oldest is not null or x.due_at is not null or x.msg_id is not null or x.next_run_id is not null)
    order by x."table", x.period_tag
    limit p_limit
    for no key update
  loop
    update public.partitions x
    set demand_seq = x.demand_seq + 1,
      forced_seq = case when r.fan_out_forced then x.demand_seq + 1 else x.forced_seq end
    where x.dataset_id = r.dataset_id and x."table" = v_key."table" and x.period_tag = v_key.period_tag;
    v_asked := v_asked || jsonb_build_object('table', v_key."table", 'period_tag', v_key.period_tag);
  end loop;

  -- the queue comes last: all locks are held by now
  select coalesce(jsonb_agg(a || jsonb_build_object('metricId', sediment.wake_partition(
    r.dataset_id, a ->> 'table', a ->> 'period_tag', r.priority, 'request', v_delay))), '[]')
  into v_asked from jsonb_array_elements(v_asked) a;
  insert into public.run_children (parent_id, child_id)
  select p_run, (a ->> 'metricId')::uuid from jsonb_array_elements(v_asked) a
  on conflict do nothing;

  update public.processing_metrics x
  set status = 'running', started_at = coalesce(x.started_at, clock_timestamp()),
    fan_out_cursor = case when jsonb_array_length(v_asked) = p_limit then x.fan_out_cursor
      || jsonb_build_object('after_table', v_asked -> -1 -> 'table', 'after_period_tag', v_asked -> -1 -> 'period_tag')
    end
  where x.id = p_run;
  return v_asked;
end $function$;

CREATE OR REPLACE FUNCTION sediment.has_marks(p_dataset uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return exists (select 1 from public.deletions x where x.dataset_id = p_dataset and x.state = 'marked');
end $function$;

revoke all on function "sediment"."has_marks"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.look_again(p_dataset uuid, p_table text, p_period_tag text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.partitions x
  set due_at = case when x.msg_id is null then clock_timestamp() else x.due_at end,
    -- a worker has read what is there; a message that waits sees it
    demand_seq = x.demand_seq + (x.lease_expires_at is not null)::integer,
    tier_files = case when x.lease_expires_at is null then x.tier_files end
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag and x.dead_since is null
    and jsonb_array_length(sediment.settings_of(p_dataset, p_table) -> 'dedupe_keys') > 0;
end $function$;

revoke all on function "sediment"."look_again"(uuid, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.new_partition(p_dataset uuid, p_table text)
 RETURNS public.partitions
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  x public.partitions;
begin
  x.dataset_id := p_dataset;
  x."table" := p_table;
  x.tier_files := '{}';
  return x;
end $function$;

revoke all on function "sediment"."new_partition"(uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.next_look(p_files integer[], p_oldest timestamp with time zone[], p_min_inputs integer, p_max_age_seconds integer, p_now timestamp with time zone)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_files integer := 0;
  v_look timestamptz;
begin
  if p_files is null then
    return p_now;
  end if;
  for i in 1 .. cardinality(p_files) loop
    if p_files[i] >= greatest(p_min_inputs, 2) then
      return p_now;
    end if;
    v_files := v_files + coalesce(p_files[i], 0);
    if v_files > 1 and p_oldest[i] is not null then
      v_look := least(v_look, p_oldest[i] + make_interval(secs => p_max_age_seconds));
    end if;
  end loop;
  return case when v_look < p_now then p_now else v_look end;
end $function$;

revoke all on function "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.oldest_of_tiers(p_oldest timestamp with time zone[], p_more timestamp with time zone[])
 RETURNS timestamp with time zone[]
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  for i in 1 .. coalesce(cardinality(p_more), 0) loop
    p_oldest[i] := least(p_oldest[i], p_more[i]);
  end loop;
  return p_oldest;
end $function$;

revoke all on function "sediment"."oldest_of_tiers"(timestamp with time zone[], timestamp with time zone[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.open_run(p_run uuid, p_dataset uuid, p_table text, p_period_tag text, p_priority text, p_trigger text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.processing_metrics
    (id, user_id, dataset_id, "table", period_tag, operation, trigger, priority)
  select p_run, d.user_id, d.id, p_table, p_period_tag, 'compaction', p_trigger, p_priority
  from public.datasets d where d.id = p_dataset
  on conflict (id) do nothing;
end $function$;

revoke all on function "sediment"."open_run"(uuid, uuid, text, text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.pending_seqs(p_dataset uuid, p_table text, p_period_tag text)
 RETURNS int8multirange
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select range_agg(int8range(s.seq, s.seq, '[]')) from public.deleted_slices s
    where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag and s.version is null
  );
end $function$;

revoke all on function "sediment"."pending_seqs"(uuid, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.prune_idle_runs(p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_before timestamptz;
  v_idle uuid[];
begin
  select clock_timestamp() - make_interval(secs => s.idle_history_seconds) into strict v_before
  from public.service_settings s;
  select coalesce(array_agg(x.id), '{}') into strict v_idle from (
    select r.id from public.processing_metrics r
    where r.queued_at >= v_before - interval '2 hours' and r.queued_at < v_before and r.completed_at < v_before
      and r.status = 'success' and r.operation = 'compaction' and r.files_before = 0 and r.files_quarantined = 0
      and r.trigger not in ('request', 'redrive')
      and not exists (select 1 from public.run_children k where k.child_id = r.id)
    order by r.queued_at limit p_limit for update of r skip locked
  ) x;
  delete from public.run_commits c where c.run_id = any (v_idle);
  delete from public.processing_metrics r where r.id = any (v_idle);
  return cardinality(v_idle);
end $function$;

revoke all on function "sediment"."prune_idle_runs"(integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.prune_pass(p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_before timestamptz;
  v_runs uuid[];
  v_commits integer;
  v_letters integer;
  v_alerts integer;
  v_objects integer;
  v_idle integer;
begin
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  select clock_timestamp() - make_interval(secs => s.history_seconds) into strict v_before
  from public.service_settings s;

  select coalesce(array_agg(x.id), '{}') into strict v_runs from (
    select r.id from public.processing_metrics r
    where r.queued_at < v_before and r.completed_at < v_before
      and (r.status not in ('dlq_failure', 'timeout') or not exists (
        select 1 from public.dead_letters l where l.dataset_id = r.dataset_id and l."table" = r."table"
          and l.period_tag = r.period_tag and l.resolved_at is null and l.run_id = r.id))
    order by r.queued_at limit p_limit for update of r skip locked
  ) x;
  v_idle := sediment.prune_idle_runs(p_limit);
  delete from public.run_children k where k.parent_id = any (v_runs);
  delete from public.run_children k where k.child_id = any (v_runs);
  delete from public.run_commits c where c.run_id = any (v_runs);
  get diagnostics v_commits = row_count;
  delete from public.processing_metrics r where r.id = any (v_runs);

  delete from public.alerts a where a.id = any (array(
    select x.id from public.alerts x where x.created_at < v_before and x.state <> 'pending'
    order by x.created_at limit p_limit for update skip locked));
  get diagnostics v_alerts = row_count;
  delete from public.dead_letters l where l.id = any (array(
    select x.id from public.dead_letters x
    where x.created_at < v_before and (x.resolved_at < v_before or x."table" is null)
      and not exists (select 1 from public.alerts a where a.dead_letter_id = x.id)
      and not exists (select 1 from public.processing_metrics r where r.id = x.run_id)
    order by x.created_at limit p_limit for update skip locked));
  get diagnostics v_letters = row_count;

  delete from public.objects o where o.object_key = any (array(
    select x.object_key from public.objects x
    where x.state = 'tombstone' and x.delete_after is null and x.updated_at < v_before
    order by x.updated_at limit p_limit for update skip locked));
  get diagnostics v_objects = row_count;

  delete from public.pings p where p.id = any (array(
    select x.id from public.pings x where x.sent_at < clock_timestamp() - interval '1 day'
    order by x.sent_at limit p_limit for update skip locked));

  return jsonb_build_object('runs', cardinality(v_runs), 'commits', v_commits, 'dead_letters', v_letters,
    'alerts', v_alerts, 'objects', v_objects,
    'more', greatest(cardinality(v_runs), v_letters, v_alerts, v_objects, v_idle) = p_limit);
end $function$;

CREATE OR REPLACE FUNCTION sediment.seqs_of(f public.battle_files)
 RETURNS int8multirange
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return coalesce(f.seqs, int8multirange(int8range(f.seq_min, f.seq_max, '[]')));
end $function$;

revoke all on function "sediment"."seqs_of"(public.battle_files) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.settings_of(p_dataset uuid, p_table text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (select jsonb_build_object(
    'target_file_bytes', coalesce(t.target_file_bytes, d.target_file_bytes, s.target_file_bytes),
    'target_row_group_bytes',
      coalesce(t.target_row_group_bytes, d.target_row_group_bytes, s.target_row_group_bytes),
    'healthy_row_group_bytes',
      coalesce(t.healthy_row_group_bytes, d.healthy_row_group_bytes, s.healthy_row_group_bytes),
    'target_page_bytes', coalesce(t.target_page_bytes, d.target_page_bytes, s.target_page_bytes),
    'min_inputs', coalesce(t.min_inputs, d.min_inputs, s.min_inputs),
    'max_age_seconds', coalesce(t.max_age_seconds, d.max_age_seconds, s.max_age_seconds),
    'codec', coalesce(t.codec, d.codec, s.codec),
    'sort_keys', to_jsonb(coalesce(t.sort_keys, d.sort_keys, '{}')),
    'dedupe_keys', to_jsonb(coalesce(t.dedupe_keys, d.dedupe_keys, '{}')),
    'unite_uuid_as_text', coalesce(t.unite_uuid_as_text, d.unite_uuid_as_text, false),
    'retention_seconds', coalesce(t.retention_seconds, d.retention_seconds, s.retention_seconds),
    'lease_seconds', s.lease_seconds,
    'max_run_seconds', s.max_run_seconds,
    'max_attempts', s.max_attempts)
  from public.service_settings s
  left join public.table_settings t on t.dataset_id = p_dataset and t."table" = p_table
  left join public.table_settings d on d.dataset_id = p_dataset and d."table" = '*'
  where s.id);
end $function$;

CREATE OR REPLACE FUNCTION sediment.wait_for_company(x public.partitions, p_files sediment.commit_file[], p_now timestamp with time zone, OUT tier_files integer[], OUT tier_oldest timestamp with time zone[], OUT due_at timestamp with time zone)
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

revoke all on function "sediment"."wait_for_company"(public.partitions, sediment.commit_file[], timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.wake_partition(p_dataset uuid, p_table text, p_period_tag text, p_priority text, p_trigger text, p_delay_seconds integer)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_run uuid;
  v_ready timestamptz := clock_timestamp() + make_interval(secs => p_delay_seconds);
  v_raise boolean;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  if p.msg_id is null then
    v_run := coalesce(p.next_run_id, gen_random_uuid());
    if p_trigger <> 'upload' then
      perform sediment.open_run(v_run, p_dataset, p_table, p_period_tag, p_priority, p_trigger);
    end if;
    update public.partitions x
    set run_id = v_run, next_run_id = null, queue = p_priority, ready_at = v_ready, due_at = null, dead_since = null,
      debt_oldest = case when x.debt_files > 0 then coalesce(x.debt_oldest,
        (select min(o.at) from unnest(x.tier_oldest) as o(at)), clock_timestamp()) end,
      msg_id = sediment.queue_send(p_priority, v_run, p_dataset, p_table, p_period_tag, p_delay_seconds)
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
    return v_run;
  end if;

  if p.lease_expires_at is not null then
    v_run := coalesce(p.next_run_id, gen_random_uuid());
    perform sediment.open_run(v_run, p_dataset, p_table, p_period_tag, p_priority, p_trigger);
    update public.processing_metrics r set priority = p_priority
    where r.id = v_run and sediment.priority_rank(r.priority) < sediment.priority_rank(p_priority);
    if p.next_run_id is null then
      update public.partitions x set next_run_id = v_run
      where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
    end if;
    return v_run;
  end if;
  if p_trigger <> 'upload' then
    -- whoever asks refers to the run
    perform sediment.open_run(p.run_id, p_dataset, p_table, p_period_tag, p.queue, 'upload');
  end if;

  -- A run that waits for its retry keeps its back-off, except for a person who asks by hand.
  if v_ready < p.ready_at and p_priority <> 'manual'
    and exists (select 1 from public.processing_metrics r where r.id = p.run_id and r.error_code is not null)
  then
    v_ready := p.ready_at;
  end if;
  v_ready := least(v_ready, p.ready_at);
  v_raise := sediment.priority_rank(p_priority) > sediment.priority_rank(p.queue);

  if v_raise then
    perform sediment.queue_archive(p.queue, p.msg_id);
    update public.processing_metrics r set priority = p_priority where r.id = p.run_id;
    update public.partitions x
    set queue = p_priority, ready_at = v_ready,
      msg_id = sediment.queue_send(p_priority, p.run_id, p_dataset, p_table, p_period_tag,
        ceil(greatest(0, extract(epoch from v_ready - clock_timestamp())))::integer)
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  elsif v_ready < p.ready_at then
    perform sediment.queue_set_visibility(p.queue, p.msg_id, v_ready);
    update public.partitions x set ready_at = v_ready
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  end if;
  return p.run_id;
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
  v_made_parts integer[] := '{}';
  v_made_runs uuid[]; -- and the run that is kept for it, where none opens
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
      -- what is not there yet is known, and planned by the settings of the moment
      insert into public.partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, demand_seq, last_seq,
        tier_files, tier_oldest, due_at, next_run_id, last_considered_at, plan_digest)
      select f.dataset_id, f."table", f.period_tag, f.last_file - f.first_file + 1, f.bytes, cardinality(f.calls),
        f.last_file - f.first_file + 1, w.tier_files, w.tier_oldest, w.due_at, gen_random_uuid(), v_now,
        sediment.plan_digest(f.dataset_id, f."table",
          (select s.planner_version from public.service_settings s where s.id))
      from unnest(v_given) as f
      cross join lateral sediment.wait_for_company(sediment.new_partition(f.dataset_id, f."table"),
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
        from sediment.wait_for_company(x, v_files[f.first_file : f.last_file], v_now) as w),
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
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, nullif(f.etag, ''), 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts, f.schema_fingerprint, f.stats,
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
    select a.stage, a.dataset_id, a."table", a.period_tag, a.content_hash, a.offsets_digest, a.user_id, a.object_key,
      a.size, v_now, a.seqs, a.version, a.main, a.tables, a.period_tags, a.row_counts, a.run_ids
    from answers a
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answers a;
  return v_answers;
end $function$;

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_idle_history_seconds_check" CHECK ((idle_history_seconds >= 60));

CREATE VIEW "public"."dataset_status" WITH (security_invoker=true) AS  SELECT d.id,
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
            sum(x.debt_files) FILTER (WHERE (x.debt_oldest IS NOT NULL)) AS debt_files,
            sum(x.debt_bytes) FILTER (WHERE (x.debt_oldest IS NOT NULL)) AS debt_bytes,
            min(x.debt_oldest) AS debt_oldest,
            count(x.dead_since) AS dead
           FROM public.partitions x
          WHERE ((x.dataset_id = d.id) AND ((x.debt_oldest IS NOT NULL) OR (x.due_at IS NOT NULL) OR (x.msg_id IS NOT NULL) OR (x.dead_since IS NOT NULL)))) p ON (true));

revoke all on "public"."dataset_status" from public, anon, authenticated, service_role;

CREATE VIEW "public"."partition_status" WITH (security_invoker=true) AS  SELECT dataset_id,
    "table",
    period_tag,
        CASE
            WHEN (lease_expires_at > statement_timestamp()) THEN 'running'::text
            WHEN (lease_expires_at IS NOT NULL) THEN 'expired'::text
            WHEN ((msg_id IS NOT NULL) AND (ready_at > statement_timestamp())) THEN 'waiting'::text
            WHEN (msg_id IS NOT NULL) THEN 'queued'::text
            WHEN (dead_since IS NOT NULL) THEN 'dead'::text
            WHEN (due_at IS NOT NULL) THEN 'scheduled'::text
            ELSE 'idle'::text
        END AS state,
        CASE
            WHEN (debt_oldest IS NOT NULL) THEN debt_files
            ELSE (0)::bigint
        END AS debt_files,
        CASE
            WHEN (debt_oldest IS NOT NULL) THEN debt_bytes
            ELSE (0)::bigint
        END AS debt_bytes,
    debt_oldest,
    (demand_seq - done_seq) AS unseen_demand,
    queue,
    run_id,
    next_run_id,
    COALESCE(ready_at, due_at) AS next_due_at,
    lease_worker,
    lease_expires_at,
    last_decision,
    last_considered_at,
    dead_since,
    left_alone_files
   FROM public.partitions p;

revoke all on "public"."partition_status" from public, anon, authenticated, service_role;

COMMENT ON COLUMN "public"."service_settings"."idle_history_seconds" IS 'How long runs are kept that had nothing to merge and that nobody had asked for; after that their status is run_not_found. Unit: seconds, at least 60. Default: 3600 (1 h).';

REVOKE ALL ON FUNCTION "sediment"."add_tiers"(integer[], integer[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."add_tiers"(integer[], integer[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."has_marks"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."has_marks"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."look_again"(uuid, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."look_again"(uuid, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."new_partition"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."new_partition"(uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."oldest_of_tiers"(timestamp with time zone[], timestamp with time zone[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."oldest_of_tiers"(timestamp with time zone[], timestamp with time zone[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."open_run"(uuid, uuid, text, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."open_run"(uuid, uuid, text, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."pending_seqs"(uuid, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."pending_seqs"(uuid, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."prune_idle_runs"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."prune_idle_runs"(integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."seqs_of"(public.battle_files) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."seqs_of"(public.battle_files) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."wait_for_company"(public.partitions, sediment.commit_file[], timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."wait_for_company"(public.partitions, sediment.commit_file[], timestamp with time zone) TO "service_role";

GRANT SELECT ON TABLE "public"."dataset_status" TO "authenticated", "service_role";

GRANT SELECT ON TABLE "public"."partition_status" TO "authenticated", "service_role";
