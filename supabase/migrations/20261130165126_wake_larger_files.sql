-- Uploads that are all larger than the lowest size tier make runs; what a run reads in vain again is looked at by the check of
-- the store; what is deleted is not remade; uploads and runs cost fewer statements and looks at other tables.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_schema_digest_fkey";

ALTER TABLE "public"."dataset_versions" DROP CONSTRAINT "dataset_versions_dataset_id_fkey";

DROP FUNCTION "sediment"."bucket_of"(double precision, double precision[]);

DROP FUNCTION "sediment"."etag_of"(text, text);

DROP FUNCTION "sediment"."fingerprint_of"(text, text);

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
    -- with the lease that ends it counts no more
    if not p_last then
      update public.partitions x set staged_inputs = null
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    end if;
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
  for i in 1 .. coalesce(array_upper(p_more, 1), 0) loop
    p_files[i] := coalesce(p_files[i], 0) + coalesce(p_more[i], 0);
  end loop;
  return p_files;
end $function$;

CREATE OR REPLACE FUNCTION sediment.bucket_of(p_seconds double precision, p_bounds double precision[])
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
declare
  -- how many bounds are not above it
  v_below constant integer := width_bucket(p_seconds, p_bounds);
begin
  return coalesce(case when p_bounds[v_below] = p_seconds then p_bounds[v_below] else p_bounds[v_below + 1] end::text, '+Inf');
end $function$;

revoke all on function "sediment"."bucket_of"(double precision, double precision[]) from public, anon, authenticated, service_role;

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
  v_look interval;
  v_unseen boolean := coalesce((p_result ->> 'unseen')::boolean, false);
  v_planner integer := coalesce((p_result ->> 'planner')::integer, 0);
  v_idle_runs integer := 0;
  v_next uuid := p.next_run_id;
  v_asked boolean;
  v_priority text;
  -- what a plan is made by may have changed since the claim gave it
  v_changed boolean;
  v_settings jsonb;
  v_tiers integer[];
  v_waiting timestamptz[];
  v_wake boolean := false;
begin
  select make_interval(secs => s.second_look_seconds), s.plan_changed_at >= p.claimed_at into strict v_look, v_changed
  from public.service_settings s;
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
    if exists (select 1 from public.partitions x where x.dataset_id = p.dataset_id and x."table" = p."table"
        and x.period_tag = p.period_tag and x.isolation is not null)
    then
      v_due := v_now;
    end if;
  end if;
  v_due := least(v_due,
    -- what waits for its second look, or did when the run was given its files
    (select min(f.lost_since) + v_look from public.battle_files f
      where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
        and f.removed_version is null and f.state = 'active' and f.lost_since > coalesce(p.claimed_at, v_now) - v_look),
    -- lost outputs that can be remade
    (select min(f.remake_at) from public.battle_files f
      where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
        and f.removed_version is null and f.remake_at is not null));
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
    -- an empty list would begin at the tier that it is given first
    if cardinality(tier_oldest) > 0 is not true then
      tier_oldest := array[null]::timestamptz[];
    end if;
    if tier_files = '{}' then
      tier_files := array[0];
    end if;
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

CREATE OR REPLACE FUNCTION sediment.etag_of(p_etag text, p_object_key text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return coalesce(p_etag, (select o.etag from public.objects o where o.object_key = p_object_key));
end $function$;

revoke all on function "sediment"."etag_of"(text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.fingerprint_of(p_fingerprint text, p_digest text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return coalesce(p_fingerprint, (select k.fingerprint from public.file_schemas k where k.digest = p_digest));
end $function$;

revoke all on function "sediment"."fingerprint_of"(text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.list_inputs(p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer, p_only bigint[], p_settings jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_told constant integer := 100;
  v_grown constant bigint := ceil(0.75 * (p_settings ->> 'target_file_bytes')::bigint);
  v_healthy constant bigint := (p_settings ->> 'healthy_row_group_bytes')::bigint;
  v_dedupe constant boolean := jsonb_array_length(p_settings -> 'dedupe_keys') > 0;
  v_page jsonb;
  v_schema record;
  v_schemas jsonb := '{}'::jsonb;
  v_count integer := 0;
  v_bytes integer := 0;
  v_marks constant boolean := sediment.has_marks(p_dataset);
  v_pending constant int8multirange := sediment.pending_seqs(p_dataset, p_table, p_period_tag);
  v_first bigint;
  v_last bigint;
begin
  if p_only is not null and v_dedupe then
    select min(f.seq_min), max(f.seq_min) into v_first, v_last from public.battle_files f where f.id = any (p_only);
  end if;
  -- in the index's order, so that it ends with the page
  with told as (
    select x.*, count(*) filter (where x.done) over w as done_so_far, lag(x.done) over w as after_done
    from (
      select f.*, o.is_between, o.is_between or f.state <> 'active' or (f.byte_length >= v_grown and f.rewrite is null
        and (v_pending is null or not sediment.seqs_of(f) && v_pending) and not (f.level = 0
        and f.row_group_count > 1 and f.uncompressed_bytes < v_healthy * f.row_group_count)) as done
      from public.battle_files f
      cross join lateral (select p_only is not null and f.id <> all (p_only) as is_between) o
      where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
        and f.removed_version is null and f.seq_min > p_after
        and not (v_marks and sediment.is_marked(f, 9223372036854775807))
        and (p_only is null or f.id = any (p_only) or f.seq_min between v_first and v_last)
    ) x
    window w as (order by x.seq_min)
  ), page as (
    select t.* from told t
    where not t.done or t.done_so_far <= v_told or (p_only is not null and not t.is_between) or (v_dedupe and t.after_done is not true)
    order by t.seq_min
    limit p_limit + 1
  ), kept as (
    -- as sediment.fingerprint_of and etag_of have it, without a call for each file
    select p.*, coalesce(p.schema_fingerprint,
      (select x.fingerprint from public.file_schemas x where x.digest = p.schema_digest)) as fingerprint
    from page p order by p.seq_min limit p_limit
  )
  select jsonb_build_object(
    'files', coalesce((select jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'level', k.level, 'seq_min', k.seq_min, 'seq_max', k.seq_max, 'row_count', k.row_count,
      'row_group_count', k.row_group_count, 'uncompressed_bytes', k.uncompressed_bytes,
      'value_count', k.value_count, 'merge_facts', k.merge_facts, 'schema_fingerprint', k.fingerprint,
      'state', case when k.is_between or k.lost_since > clock_timestamp() - (select make_interval(secs => s.second_look_seconds)
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 
      'etag', coalesce(k.etag, (select o.etag from public.objects o where o.object_key = k.object_key)),
      'uploaded_at', k.uploaded_at, 'rewrite', k.rewrite,
      'apart', k.apart, 'lake_version', k.lake_version,
      'provenance', case when k.provenance_length is not null then jsonb_build_object('start', k.provenance_start,
        'length', k.provenance_length) end,
      'drop', case when v_pending is not null then (
        select jsonb_agg(s.seq order by s.seq) from public.deleted_slices s
        where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag and s.version is null
          and coalesce(k.seqs, int8multirange(int8range(k.seq_min, k.seq_max, '[]'))) @> s.seq) end)
      order by k.seq_min) from kept k), '[]'),
    'digests', coalesce((select jsonb_agg(jsonb_build_array(d.fingerprint, d.digest) order by d.seq_min) from (
      select distinct on (k.fingerprint) k.fingerprint, k.seq_min,
        coalesce(k.schema_digest, k.schema_fingerprint) as digest
      from kept k where k.state = 'active' and not k.is_between order by k.fingerprint, k.seq_min) d), '[]'),
    'part', (select count(*) filter (where k.done) >= v_told from kept k),
    'more', (select count(*) > p_limit from page),
    'cursor', case when (select count(*) > p_limit from page) then (select max(k.seq_min)::text from kept k) end)
  into strict v_page;

  -- one by one: as text a schema may be a hundred times what it is as stored, and only what fits is to be unpacked
  for v_schema in
    select d.value ->> 0 as fingerprint, x.schema
    from jsonb_array_elements(v_page -> 'digests') with ordinality as d(value, n)
    join public.file_schemas x on x.digest = d.value ->> 1
    order by d.n
  loop
    v_count := v_count + 1;
    v_bytes := v_bytes + octet_length(v_schema.schema::text);
    exit when v_count > 100 or v_bytes > 1048576;
    v_schemas := v_schemas || jsonb_build_object(v_schema.fingerprint, v_schema.schema);
  end loop;
  return v_page - 'digests' || jsonb_build_object('schemas', v_schemas);
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
      -- what is deleted is remade for nobody
      and not sediment.is_marked(x, 9223372036854775807)
    order by x.remake_at limit 10
  loop
    v_ids := sediment.retired_inputs(f);
    if v_ids is null then
      update public.battle_files x set remake_at = null where x.id = f.id;
      continue;
    end if;
    return jsonb_build_object('file', f.id, 'row_count', f.row_count, 'schema_fingerprint',
        sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
      'schema', (select s.schema from public.file_schemas s
        where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
      'inputs', (select jsonb_agg(jsonb_build_object(
        'id', i.id, 'object_key', i.object_key, 'start_byte', i.start_byte, 'byte_length', i.byte_length,
        'level', i.level, 'seq_min', i.seq_min, 'seq_max', i.seq_max, 'row_count', i.row_count,
        'row_group_count', i.row_group_count, 'uncompressed_bytes', i.uncompressed_bytes,
        'value_count', i.value_count, 'merge_facts', i.merge_facts, 'schema_fingerprint',
        sediment.fingerprint_of(i.schema_fingerprint, i.schema_digest),
        'state', i.state, 'checksum', i.checksum, 'etag', sediment.etag_of(i.etag, i.object_key), 'uploaded_at', i.uploaded_at, 'rewrite', null,
        'lake_version', i.lake_version,
        'provenance', case when i.provenance_length is not null then jsonb_build_object('start', i.provenance_start,
          'length', i.provenance_length) end,
        -- uploads whose rows the output was written without, since they were deleted
        'drop', (select jsonb_agg(s.seq order by s.seq) from public.deleted_slices s
          where s.dataset_id = p.dataset_id and s."table" = p."table" and s.period_tag = p.period_tag
            and sediment.seqs_of(i) @> s.seq and not sediment.seqs_of(f) @> s.seq))
        order by i.seq_min) from public.battle_files i where i.id = any (v_ids)));
  end loop;
  return null;
end $function$;

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
  for i in 1 .. coalesce(array_upper(p_files, 1), 0) loop
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

CREATE OR REPLACE FUNCTION sediment.next_row_id()
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_key bytea;
  v_id bigint;
begin
  select k.key, nextval('sediment.row_ids') into v_key, v_id from sediment.row_id_key k;
  if not found then
    insert into sediment.row_id_key (id) values (true) on conflict (id) do nothing;
    select k.key, nextval('sediment.row_ids') into strict v_key, v_id from sediment.row_id_key k;
  end if;
  -- one expression a round: each costs more than the hash when it is first used in a transaction
  for v_round in 1 .. 4 loop
    v_id := ((v_id & 16777215) << 24) | ((v_id >> 24) # ('x' || substr(encode(sha256(
      v_key || int4send(v_round) || int4send((v_id & 16777215)::integer)), 'hex'), 1, 6))::bit(24)::bigint);
  end loop;
  return 281474976710656 + v_id;
end $function$;

CREATE OR REPLACE FUNCTION sediment.oldest_of_tiers(p_oldest timestamp with time zone[], p_more timestamp with time zone[])
 RETURNS timestamp with time zone[]
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  for i in 1 .. coalesce(array_upper(p_more, 1), 0) loop
    p_oldest[i] := least(p_oldest[i], p_more[i]);
  end loop;
  return p_oldest;
end $function$;

CREATE OR REPLACE FUNCTION sediment.replace_files(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[], p_dropped jsonb DEFAULT NULL::jsonb)
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
  v_pending int8multirange;
  v_dropped bigint := 0;
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
    case when bool_and(f.apart ->> 'kind' = 'values') then (array_agg(f.apart order by f.id))[1] end as apart,
    range_agg(sediment.seqs_of(f)) as seqs
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
    merge_facts jsonb, schema_fingerprint text, stats jsonb, checksum text, provenance_start bigint,
    provenance_length integer, lake_version smallint);
  v_pending := sediment.pending_seqs(p.dataset_id, p."table", p.period_tag);
  if v_pending is not null or p_dropped is not null then
    v_dropped := sediment.check_dropped(p, v_in.seqs, p_dropped);
  end if;
  -- of sediment.settings_of this one
  v_dedupe := coalesce(cardinality(coalesce(
    (select t.dedupe_keys from public.table_settings t where t.dataset_id = p.dataset_id and t."table" = p."table"),
    (select t.dedupe_keys from public.table_settings t where t.dataset_id = p.dataset_id and t."table" = '*'))), 0) > 0;
  if (case when v_dedupe then coalesce(v_out.row_count, 0) <= v_in.rows - v_dropped
        and (v_out.row_count > 0 or v_in.rows = v_dropped)
      else coalesce(v_out.row_count, 0) = v_in.rows - v_dropped end) is not true
  then
    perform sediment.fail('merge_rows_differ', 500,
      format('the inputs hold %s rows, the output %s, and %s were left out', v_in.rows, coalesce(v_out.row_count, 0),
        v_dropped));
  end if;
  -- Last writer wins only holds when nothing that was written in between stays outside: all inputs are in between, so
  -- what is there is counted. One that is written anew by itself is where it was.
  if v_dedupe and v_in.files > 1 and v_in.files < (
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
      checksum, schema_digest, youngest_at, apart, input_count, provenance_start, provenance_length, seqs, lake_version)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum, sediment.schema_digest(p_output -> 'schema'),
      v_in.youngest_at, v_in.apart, v_in.files, v_out.provenance_start, v_out.provenance_length,
      -- each of them apart costs 17 bytes; of very many it is said roughly, and more files are looked into
      case when (select count(*) from unnest(v_in.seqs)) > 1000 then int8multirange(range_merge(v_in.seqs))
        else v_in.seqs end - coalesce(v_pending, '{}'), v_out.lake_version
    from public.processing_metrics r where r.id = p_run
    returning id into strict v_file;
  end if;

  if v_pending is not null then
    update public.deletions x
    set rows = x.rows + s.rows, files = x.files + 1
    from (
      select y.deletion_id, sum(t.value::bigint) as rows from jsonb_each_text(coalesce(nullif(p_dropped, 'null'), '{}')) t
      join public.deleted_slices y on y.dataset_id = p.dataset_id and y."table" = p."table"
        and y.period_tag = p.period_tag and y.seq = t.key::bigint
      group by y.deletion_id
    ) s
    where x.id = s.deletion_id;
    perform sediment.settle_slices(p.dataset_id, p."table", p.period_tag, v_version.version);
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
  if p_part = 'store_read' and r.given_back > 1 then
    perform sediment.suspect_inputs(p);
  end if;
  if p_part is not null then
    perform sediment.trip_breaker(format('%s/%s/%s', p.dataset_id, p."table", p.period_tag), p_part, p_code, p_message);
  end if;
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $function$;

CREATE OR REPLACE FUNCTION sediment.suspect_inputs(p public.partitions)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_most constant integer := 5;
  v_suspected integer;
begin
  if exists (select 1 from public.circuit_breaker b where b.state = 'open') then
    return;
  end if;
  select count(*) into strict v_suspected
  from public.store_findings n cross join public.service_settings s
  where n.kind in ('lost', 'changed') and n.found_at > v_now - make_interval(secs => s.breaker_window_seconds);
  insert into public.store_findings (object_key, kind, detail, found_at, looked_at)
  select f.object_key, 'lost', 'a run did not find it', v_now, v_now
  from public.battle_files f
  where f.id = any (p.staged_inputs) and f.removed_version is null and f.state = 'active'
    and not exists (select 1 from public.store_findings n where n.object_key = f.object_key)
  group by f.object_key
  order by min(f.seq_min), f.object_key limit greatest(0, v_most - v_suspected)
  on conflict (object_key) do nothing;
end $function$;

revoke all on function "sediment"."suspect_inputs"(public.partitions) from public, anon, authenticated, service_role;

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
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answers a;
  return v_answers;
end $function$;

REVOKE ALL ON FUNCTION "sediment"."bucket_of"(double precision, double precision[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."bucket_of"(double precision, double precision[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."etag_of"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."etag_of"(text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."fingerprint_of"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."fingerprint_of"(text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."suspect_inputs"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."suspect_inputs"(public.partitions) TO "service_role";

-- lists that began at a higher tier hid what waits from every plan
update public.partitions
set tier_files = null, tier_oldest = null, due_at = case when msg_id is null then clock_timestamp() else due_at end
where array_lower(tier_files, 1) > 1 or array_lower(tier_oldest, 1) > 1;
