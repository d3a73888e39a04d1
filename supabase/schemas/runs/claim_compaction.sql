-- Leases one due partition to a worker: reads and leases one message in one transaction. The queue that is
-- looked at first is dealt 6:3:1, so that none starves; an empty one passes its turn on. Attempts are counted
-- here, not by read_ct: a message that a dying worker never started on is not a failure.
-- Returns {claimed: false, reason: 'empty'|'busy'|'fanned_out'|'breaker_open', probe?}, where busy may also mean that
-- max_workers hold leases, fanned_out that a request for a whole dataset was spread and asking again makes sense,
-- breaker_open that what all stand on fails, and probe is null or what sediment.claim_probe says; or {claimed: true, run_id, dataset_id, table,
-- period_tag, user_id, priority, token, lease_expires_at, lease_seconds (from the claim on: a worker counts them by
-- its own clock, which need not be the database's), claimed_at (the catalog's clock, by which the planner goes), attempt, demand_seq, forced, trial (after deaths: these files, whatever a plan would take), outputs_committed,
-- settings, steps, files: [{id, object_key, start_byte, byte_length, level, seq_min, seq_max, row_count,
-- row_group_count, uncompressed_bytes, value_count|null, merge_facts|null, schema_fingerprint, state, etag,
-- uploaded_at}], schemas: {fingerprint: schema}, part (of files that no plan touches, the first only), more, cursor}: the oldest 2,000 files in upload order; list_fragments gives those after the cursor.
-- controls are files to be merged, one of them and for nothing, before what is on trial (pass_control).
-- remake is null or a lost output that is to be remade (sediment.list_remake).
-- outputs_committed is the ordinal (p_n) of the run's next commit.
create or replace function public.claim_compaction(p_worker text, p_lease_seconds integer default 300)
returns jsonb
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
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
end $$;
