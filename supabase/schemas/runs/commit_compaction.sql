-- Commits the n-th step of a run's work. First looks whether (run, n) is committed already and gives that
-- answer; then checks the token; then replaces the inputs by the output, demanding that each input is still
-- visible. The message is archived and the lease freed only with p_last.
--   p_n: ordinal of the commit, claim's outputs_committed and on, one by one
--   p_inputs: ids of the files that the output replaces; empty with p_output null: nothing was done
--   p_input_keys: the object in which each of them was read; another one now is inputs_changed
--   p_remakes: the lost output that this one takes the place of (claim_compaction's remake); p_inputs are then the files
--              that it had replaced, which are gone already, and no version comes of it
--   p_output: {object_key, size, etag, row_count, row_group_count, uncompressed_bytes, value_count|null,
--              merge_facts|null, schema_fingerprint, schema, stats, checksum|null,
--              provenance_start|null, provenance_length|null, lake_version|null}; null also when no row is left of the inputs
--   p_result: {decision, debt: {files, bytes, oldest}, next_due_at, steps_ms, output, progress, more, dropped: of each
--              upload that is being deleted, by its seq, how many rows of it were left out}. With p_last and
--              more: true the run is not over: its turn is, and the next worker goes on with it at once; only
--              when less than a lease is left of its max_run_seconds does it end, as a success, and a follow-up goes on.
-- Returns {version|null, file_id|null, run_status, requeued, replayed, commits, lease_expires_at|null,
-- lease_seconds|null}.
-- Raises lease_lost, run_finished, run_not_found, inputs_changed, inputs_not_adjacent, merge_rows_differ,
-- object_missing, invalid_request.
create or replace function public.commit_compaction(
  p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_last boolean, p_result jsonb,
  p_input_keys text[] default null, p_remakes bigint default null
)
returns jsonb
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
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
end $$;
