-- What supabase db lint finds in our functions: literals are cast where they are assigned, unused variables go. Nothing changes in what they do.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.catalog_health()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_queues jsonb := '{}'::jsonb;
  v_queue text;
  v_leases integer;
  v_debt integer;
  v_reasons text[] := '{}'::text[];
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
  return jsonb_build_object('ok', cardinality(v_reasons) = 0, 'reasons', to_jsonb(v_reasons),
    'details', (select coalesce(jsonb_object_agg(r, sediment.health_text(r)), '{}') from unnest(v_reasons) r),
    'open_incidents', (select coalesce(jsonb_agg(i.name order by i.name), '[]') from public.incidents i
      where i.state = 'open'), 'breaker',
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

CREATE OR REPLACE FUNCTION public.claim_compaction(p_worker text, p_lease_seconds integer DEFAULT 300)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
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

CREATE OR REPLACE FUNCTION public.group_upload_calls(p_stages jsonb, p_commits jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET lock_timeout TO '100ms'
AS $function$
declare
  v_commits jsonb[] := '{}'::jsonb[];
  v_stages jsonb[] := '{}'::jsonb[];
begin
  if (jsonb_typeof(p_stages) = 'array' and jsonb_typeof(p_commits) = 'array') is not true
    or jsonb_array_length(p_stages) + jsonb_array_length(p_commits) > 100
  then
    perform sediment.fail('invalid_request', 400, 'p_stages and p_commits are not arrays of at most 100 calls');
  end if;
  if jsonb_array_length(p_commits) > 0 then
    v_commits := sediment.commit_uploads(p_commits);
  end if;
  if jsonb_array_length(p_stages) > 0 then
    v_stages := sediment.stage_uploads(p_stages);
  end if;
  return jsonb_build_object('stages', to_jsonb(v_stages), 'commits', to_jsonb(v_commits));
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
  v_marks constant boolean := sediment.has_marks(p_dataset);
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  f public.battle_files;
  v_files jsonb[] := '{}'::jsonb[];
  v_bytes bigint := 0;
  v_more boolean := false;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.require_dataset(p_user, p_dataset);
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile. One by
  -- one: as text the bounds of a file's columns may be a hundred times what they are as stored, and only those of the
  -- page are to be unpacked.
  for f in
    (select x.* from public.battle_files x
      where x.dataset_id = d.id and x.removed_version is null and x.added_version <= v_version
        and not (v_marks and sediment.is_marked(x, v_version))
        and (p_table is null or x."table" = p_table) and (p_period_tag is null or x.period_tag = p_period_tag)
        and (p_from is null or x.period_tag >= p_from) and (p_to is null or x.period_tag <= p_to)
        and (v_cursor is null or (x."table", x.period_tag, x.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by x."table", x.period_tag, x.seq_min limit v_limit + 1)
    union all
    (select x.* from public.battle_files x
      where x.dataset_id = d.id and x.removed_version > v_version and x.added_version <= v_version
        and (p_table is null or x."table" = p_table) and (p_period_tag is null or x.period_tag = p_period_tag)
        and (p_from is null or x.period_tag >= p_from) and (p_to is null or x.period_tag <= p_to)
        and (v_cursor is null or (x."table", x.period_tag, x.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by x."table", x.period_tag, x.seq_min limit v_limit + 1)
    order by "table", period_tag, seq_min limit v_limit + 1
  loop
    v_bytes := v_bytes + 1000
      + case when pg_column_size(f.stats) > 300 then octet_length(f.stats::text) else 300 end;
    v_more := cardinality(v_files) = v_limit or (v_bytes > 2097152 and cardinality(v_files) > 0);
    exit when v_more;
    v_files := v_files || jsonb_build_object(
      'id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length,
      'table', f."table", 'period_tag', f.period_tag, 'size', f.byte_length, 'level', f.level, 'state', f.state,
      'lost', f.lost_since is not null,
      'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
      'row_count', f.row_count, 'row_group_count', f.row_group_count,
      'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', f.schema_fingerprint,
      'stats', f.stats, 'etag', f.etag, 'seq_min', f.seq_min, 'seq_max', f.seq_max,
      'uploaded_at', f.uploaded_at, 'added_version', f.added_version);
  end loop;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s), 'files', to_jsonb(v_files),
    'totals', sediment.version_totals(d, v_version), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_files[cardinality(v_files)] -> 'table',
      'p', v_files[cardinality(v_files)] -> 'period_tag', 's', v_files[cardinality(v_files)] -> 'seq_min')) end);
end $function$;

CREATE OR REPLACE FUNCTION public.redrive_dead_letters(p_user uuid, p_ids bigint[] DEFAULT NULL::bigint[], p_filter jsonb DEFAULT NULL::jsonb, p_limit integer DEFAULT 100)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  -- ids are meant as they stand: the limit is for filters
  v_limit integer := least(greatest(coalesce(p_limit, 100), cardinality(p_ids), 1), 1000);
  v_filter jsonb := coalesce(p_filter, '{}');
  v_datasets constant uuid[] := sediment.datasets_of(p_user, 'writer');
  v_ids bigint[];
  v_key record;
  v_run uuid;
  v_redriven jsonb := '[]'::jsonb;
  v_done jsonb;
  v_skipped jsonb;
begin
  if cardinality(p_ids) > 1000 or jsonb_typeof(v_filter) <> 'object'
    or v_filter - array['dataset_id', 'table', 'error_code', 'before'] <> '{}'
  then
    perform sediment.fail('invalid_request', 400, 'over 1000 ids, or a filter with other fields',
      'dataset_id, table, error_code, before');
  end if;

  select coalesce(array_agg(x.id), '{}') into strict v_ids
  from (
    select l.id from public.dead_letters l
    where l.resolved_at is null and l.dataset_id is not null and l."table" is not null
      and (p_user is null or l.dataset_id = any (v_datasets))
      and (p_ids is null or l.id = any (p_ids))
      and (v_filter ->> 'dataset_id' is null or l.dataset_id = (v_filter ->> 'dataset_id')::uuid)
      and (v_filter ->> 'table' is null or l."table" = v_filter ->> 'table')
      and (v_filter ->> 'error_code' is null or l.error_code = v_filter ->> 'error_code')
      and (v_filter ->> 'before' is null or l.last_failed_at < (v_filter ->> 'before')::timestamptz)
    order by l.id limit v_limit
  ) x;

  -- all partitions first, sorted; the queue after them
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select l.dataset_id, l."table", l.period_tag from public.dead_letters l where l.id = any (v_ids))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;

  for v_key in
    select distinct l.dataset_id, l."table", l.period_tag from public.dead_letters l
    where l.id = any (v_ids) and l.resolved_at is null order by 1, 2, 3
  loop
    update public.partitions p
    set demand_seq = p.demand_seq + 1, forced_seq = p.demand_seq + 1
    where p.dataset_id = v_key.dataset_id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    v_run := sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'manual', 'redrive', 0);
    with done as (
      update public.dead_letters l
      set resolved_at = clock_timestamp(), resolution = 'redriven', redriven_run_id = v_run
      where l.id = any (v_ids) and l.resolved_at is null and l.dataset_id = v_key.dataset_id
        and l."table" = v_key."table" and l.period_tag = v_key.period_tag
      returning l.id
    )
    select coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'run_id', v_run, 'dataset_id', v_key.dataset_id,
      'table', v_key."table", 'period_tag', v_key.period_tag) order by d.id), '[]') into strict v_done from done d;
    v_redriven := v_redriven || v_done;
  end loop;

  select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'reason', case
      when l.id is null or (p_user is not null and (l.dataset_id = any (v_datasets)) is not true) then 'not_found'
      when l.resolved_at is not null then 'resolved' else 'no_partition' end) order by i.id), '[]')
  into strict v_skipped
  from unnest(p_ids) as i(id)
  left join public.dead_letters l on l.id = i.id
  where not exists (select 1 from jsonb_array_elements(v_redriven) r where (r ->> 'id')::bigint = i.id);
  perform sediment.spend_request(p_user);
  return jsonb_build_object('redriven', v_redriven, 'skipped', v_skipped, 'more', cardinality(v_ids) = v_limit);
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
  v_revived uuid[] := '{}'::uuid[];
  v_partition public.partitions;
begin
  select * into strict s from public.service_settings;
  p_max_datasets := coalesce(p_max_datasets, s.max_datasets_per_run);
  p_concurrency := greatest(coalesce(p_concurrency, s.schedule_concurrency), 1);
  p_delay_ms := greatest(coalesce(p_delay_ms, s.schedule_delay_ms), 0);

  -- Among as many debts as a call can ask for: older ones go first, and all others can wait for the next night.
  select coalesce(array_agg(x.dataset_id order by x.oldest), '{}') into strict v_datasets
  from (
    select o.dataset_id, min(o.debt_oldest) as oldest
    from (
      select p.dataset_id, p.debt_oldest from public.partitions p
      where p.debt_oldest is not null and p.dead_since is null
      order by p.debt_oldest limit p_max_partitions
    ) o
    group by o.dataset_id order by 2 limit greatest(p_max_datasets, 0)
  ) x;

  for v_partition in
    select * from public.partitions x
    where x.dead_since is not null and x.debt_oldest is not null and x.msg_id is null
    order by x.debt_oldest limit least((p_max_partitions + 3) / 4, (p_max_datasets + 3) / 4)
    for no key update skip locked
  loop
    v_revived := v_revived || sediment.revive_run(v_partition);
    v_dead := v_dead + 1;
  end loop;

  for v_key in
    select p.dataset_id, p."table", p.period_tag, p.lease_expires_at from public.partitions p
    where p.dataset_id = any (v_datasets) and p.debt_oldest is not null and p.dead_since is null
      and (p.run_id is null or p.run_id <> all (v_revived))
    order by p.dataset_id, p."table", p.period_tag limit p_max_partitions - v_dead
    for no key update skip locked
  loop
    if v_key.lease_expires_at is null then
      perform sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'scheduled', 'schedule',
        ((array_position(v_datasets, v_key.dataset_id) - 1) / p_concurrency) * p_delay_ms / 1000);
    end if;
    v_count := v_count + 1;
  end loop;
  return jsonb_build_object('datasets', to_jsonb(v_datasets), 'partitions', v_count + v_dead,
    'more', v_count + v_dead = p_max_partitions);
end $function$;

CREATE OR REPLACE FUNCTION public.watch_health(p_close boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_health jsonb := public.catalog_health();
  v_reasons text[] := array(select jsonb_array_elements_text(v_health -> 'reasons'));
  v_opened text[] := '{}'::text[];
  v_closed text[] := '{}'::text[];
  v_name text;
begin
  if current_setting('transaction_read_only') = 'on' then
    return jsonb_build_object('opened', v_opened, 'closed', v_closed);
  end if;
  foreach v_name in array array_remove(v_reasons, 'breaker_open') loop
    if sediment.open_incident(v_name, format('Sediment is stuck: %s (%s)', sediment.health_text(v_name), v_name),
        p_watched => true)
    then
      v_opened := v_opened || v_name;
    end if;
  end loop;
  for v_name in
    select i.name from public.incidents i
    where p_close and i.watched and i.state = 'open' and i.name <> all (v_reasons) order by i.name for no key update
  loop
    update public.incidents i set unseen = i.unseen + 1 where i.name = v_name and i.unseen = 0;
    if not found then
      perform sediment.close_incident(v_name);
      v_closed := v_closed || v_name;
    end if;
  end loop;
  return jsonb_build_object('opened', v_opened, 'closed', v_closed);
end $function$;

CREATE OR REPLACE FUNCTION sediment.clockwork_faults()
 RETURNS text[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs constant text[] := array['sediment_tick', 'sediment_leases', 'sediment_sweep', 'sediment_history',
    'sediment_scheduled', 'sediment_vacuum', 'sediment_dead_letters', 'sediment_health'];
  v_faults text[] := '{}'::text[];
  v_refused integer;
  v_outdated integer;
begin
  begin
    -- a timeout alone is no fault: a ping does not wait for the work
    with answered as (
      select p.path, r.status_code, r.created, r.content like '%schema_outdated%' as outdated
      from net._http_response r left join public.pings p on p.id = r.id
      where r.created > clock_timestamp() - interval '5 minutes')
    select count(*), count(*) filter (where a.outdated) into strict v_refused, v_outdated
    from answered a where a.status_code >= 400 and not exists (
      select 1 from answered s where s.status_code between 200 and 299
        and (s.path is not distinct from a.path or a.status_code in (401, 403) and s.created > a.created));
    if v_refused > 0 then
      v_faults := v_faults || 'pings_refused'::text;
    end if;
    if v_outdated > 0 then
      v_faults := v_faults || 'schema_outdated'::text;
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
  v_new record;
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

  -- What is new with them: datasets, made here, and partitions. By owner, then as they came, as above.
  for v_new in
    with x as materialized (
      select distinct f.n, f.user_id, f.dataset_id, f."table", f.period_tag from unnest(v_files) as f
    )
    select x.n, count(*) filter (where p.dataset_id is null)::integer as partitions,
      array_agg(distinct x."table") filter (where p.dataset_id is null) as tables
    from x
    left join public.datasets d on d.id = any (array[x.dataset_id])
    left join public.partitions p on p.dataset_id = any (array[x.dataset_id]) and p."table" = x."table"
      and p.period_tag = x.period_tag
    where d.id is null or d.user_id <> x.user_id or p.dataset_id is null
    group by coalesce(d.user_id, x.user_id), x.n
    order by coalesce(d.user_id, x.user_id), x.n
  loop
    v_calls[v_new.n].outcome := sediment.admit_commit(v_calls[v_new.n], v_new.partitions, v_new.tables);
    v_refused := v_refused or v_calls[v_new.n].outcome is not null;
  end loop;
  if v_refused then
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
      and (x.debt_oldest is not null or x.due_at is not null or x.msg_id is not null)
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
  -- the dataset was nobody's when it was planned, and became another user's; or the user may not write any more
  if not sediment.role_suffices(sediment.dataset_role(p.user_id, p.dataset_id), 'writer') then
    return sediment.failure('dataset_forbidden', 403,
      format('dataset %s is not the user''s to write to', p.dataset_id));
  end if;
  if exists (select 1 from public.datasets d where d.id = p.dataset_id
      and d.deletion_version > (v_first.answer ->> 'version')::bigint)
    and sediment.upload_deleted_at(v_first) is not null
  then
    perform sediment.discard_object(x.object_key, 'a deleted upload')
    from public.objects x where x.stage_id = p.stage and x.state = 'staged';
    return sediment.failure('upload_deleted', 410,
      format('this body was uploaded, and deleted on %s', sediment.upload_deleted_at(v_first)),
      'again=1, to have it back');
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
    return '{"heal": true}'::jsonb;
  end if;
  perform sediment.discard_object(x.object_key, 'a duplicate upload')
  from public.objects x where x.stage_id = p.stage and x.state = 'staged';
  return jsonb_build_object('answer', v_first.answer || jsonb_build_object('duplicate', true));
end $function$;

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
begin
  -- in the index's order, so that it ends with the page
  with told as (
    select x.*, count(*) filter (where x.done) over w as done_so_far, lag(x.done) over w as after_done
    from (
      select f.*, f.state <> 'active' or (f.byte_length >= v_grown and f.rewrite is null and not (f.level = 0
        and f.row_group_count > 1 and f.uncompressed_bytes < v_healthy * f.row_group_count)) as done
      from public.battle_files f
      where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
        and f.removed_version is null and f.seq_min > p_after
        and not (v_marks and sediment.is_marked(f, 9223372036854775807)) and (p_only is null or f.id = any (p_only))
    ) x
    window w as (order by x.seq_min)
  ), page as (
    select t.* from told t
    where not t.done or t.done_so_far <= v_told or p_only is not null or (v_dedupe and t.after_done is not true)
    order by t.seq_min
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
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 'etag', k.etag,
      'uploaded_at', k.uploaded_at, 'rewrite', k.rewrite,
      'apart', k.apart) order by k.seq_min) from kept k), '[]'),
    'digests', coalesce((select jsonb_agg(jsonb_build_array(d.fingerprint, d.digest) order by d.seq_min) from (
      select distinct on (k.schema_fingerprint) k.schema_fingerprint as fingerprint, k.seq_min,
        coalesce(k.schema_digest, k.schema_fingerprint) as digest
      from kept k where k.state = 'active' order by k.schema_fingerprint, k.seq_min) d), '[]'),
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
  v_until timestamptz;
begin
  -- in upload order: halves of neighbours are neighbours, as tables that dedupe need it
  select coalesce(array_agg(f.id order by f.seq_min), '{}') into strict v_dead from public.battle_files f
  where f.id = any (p.staged_inputs) and f.removed_version is null and f.state = 'active';
  if v_iso is null then
    v_iso := jsonb_build_object('suspects', '[]'::jsonb, 'trial', 0, 'deaths', '{}'::jsonb, 'sound', false, 'bytes',
      (select coalesce(sum(f.byte_length), 0) from public.battle_files f where f.id = any (v_dead)));
  end if;
  -- one that was set aside meanwhile, for a footer that is broken, can pass no trial: no neighbour to wait for
  select v_dead || coalesce(array_agg(x.id::bigint order by x.n), '{}') into strict v_suspects
  from jsonb_array_elements_text(v_iso -> 'suspects') with ordinality as x(id, n)
  join public.battle_files f on f.id = x.id::bigint and f.removed_version is null and f.state = 'active'
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
          sediment.dead_letter_run(p.dataset_id, p."table", p.period_tag, 'worker_died',
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

CREATE OR REPLACE FUNCTION sediment.parse_message(p_message jsonb, OUT problem text, OUT dataset_id uuid, OUT "table" text, OUT period_tag text, OUT run_id uuid, OUT priority text)
 RETURNS record
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';
  v_name constant text := '^[A-Za-z0-9_-]{1,64}$';
  v_dataset text := p_message ->> 'datasetId';
begin
  if v_dataset ~ '^[0-9a-fA-F]{64}$' then
    v_dataset := overlay(overlay(left(v_dataset, 32) placing '8' from 13)
      placing substr('89ab', 1 + ('x' || substr(v_dataset, 17, 1))::bit(4)::integer % 4, 1) from 17)::uuid::text;
  end if;
  problem := case
    when p_message is null or jsonb_typeof(p_message) <> 'object' then 'the message is not an object'
    -- as text: pg_column_size tells what is left of it after compression
    when octet_length(p_message::text) > 16384 then 'the message is over 16 KiB'
    when coalesce(v_dataset, '') !~ v_uuid then 'datasetId is not a uuid'
    when p_message ->> 'metricId' !~ v_uuid then 'metricId is not a uuid'
    when p_message ->> 'priority' is not null and sediment.priority_rank(p_message ->> 'priority') is null
      then 'priority is not one of realtime, manual, scheduled'
    when coalesce(p_message ->> 'triggeredAt', '') !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d' then
      'triggeredAt is not an ISO 8601 time'
    when (p_message ->> 'table' is null) <> (p_message ->> 'periodTag' is null)
      then 'table and periodTag come together or not at all'
    when p_message ->> 'table' !~ v_name then 'table is not a name'
    when p_message ->> 'periodTag' !~ v_name then 'periodTag is not a name'
  end;
  if problem is null then
    dataset_id := v_dataset::uuid;
    run_id := (p_message ->> 'metricId')::uuid;
    priority := p_message ->> 'priority';
    "table" := p_message ->> 'table';
    period_tag := p_message ->> 'periodTag';
  end if;
end $function$;

CREATE OR REPLACE FUNCTION sediment.queue_ready(p_queue text, p_limit integer, p_except bigint[] DEFAULT '{}'::bigint[])
 RETURNS TABLE(msg_id bigint, message jsonb)
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  for msg_id, message in execute format(
    'select m.msg_id, m.message from pgmq.%I m
     where m.vt <= $3 and m.msg_id <> all ($1) order by m.vt limit $2',
    'q_compaction_' || p_queue)
  -- a parameter, since the planner makes no index condition of the volatile clock_timestamp()
  using p_except, p_limit, clock_timestamp()
  loop
    return next;
  end loop;
end $function$;

CREATE OR REPLACE FUNCTION sediment.remove_marked(x public.deletions, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_at_once constant integer := 20;
  p public.partitions;
  v_parts public.partitions[];
  v_removed record;
  v_files bigint := 0;
  v_rows bigint := 0;
  v_bytes bigint := 0;
  v_uncompressed bigint := 0;
  v_whole public.partitions[] := '{}'::public.partitions[];
begin
  select coalesce(array_agg(y.z), '{}') into strict v_parts from (
    select z from public.partitions z
    where z.dataset_id = x.dataset_id and (z."table", z.period_tag) > (x.after_table, x.after_period_tag)
      and (x."table" is null or z."table" = x."table") and (x.period_tag is null or z.period_tag = x.period_tag)
    order by z."table", z.period_tag limit v_at_once
    for no key update
  ) y;
  perform 1 from public.datasets d where d.id = x.dataset_id for no key update;

  foreach p in array v_parts loop
    exit when v_files >= p_limit;
    with removed as (
      update public.battle_files f set removed_version = x.version
      where f.id = any (array(
        select y.id from public.battle_files y
        where y.dataset_id = p.dataset_id and y."table" = p."table" and y.period_tag = p.period_tag
          and y.removed_version is null and y.added_version < x.version
        order by y.seq_min limit p_limit - v_files))
      returning f.row_count, f.byte_length, f.uncompressed_bytes
    )
    select count(*) as files, coalesce(sum(r.row_count), 0) as rows, coalesce(sum(r.byte_length), 0) as bytes,
      coalesce(sum(r.uncompressed_bytes), 0) as uncompressed
    into strict v_removed from removed r;
    v_files := v_files + v_removed.files;
    v_rows := v_rows + v_removed.rows;
    v_bytes := v_bytes + v_removed.bytes;
    v_uncompressed := v_uncompressed + v_removed.uncompressed;
    exit when v_files >= p_limit; -- there may be more in this one
    v_whole := v_whole || p;
  end loop;

  update public.datasets d
  set file_count = d.file_count - v_files, row_count = d.row_count - v_rows,
    file_size_bytes = d.file_size_bytes - v_bytes, uncompressed_bytes = d.uncompressed_bytes - v_uncompressed,
    compression_ratio = round((d.uncompressed_bytes - v_uncompressed)::numeric
      / nullif(d.file_size_bytes - v_bytes, 0), 3),
    retired_bytes = d.retired_bytes + v_bytes, updated_at = clock_timestamp()
  where d.id = x.dataset_id;
  foreach p in array v_whole loop
    if p.msg_id is not null or p.debt_oldest is not null or p.due_at is not null or p.dead_since is not null
      or p.demand_seq > p.done_seq
    then
      perform sediment.end_partition_run(p);
    end if;
  end loop;

  update public.deletions y
  set files = y.files + v_files, rows = y.rows + v_rows, bytes = y.bytes + v_bytes,
    after_table = case when cardinality(v_whole) > 0 then v_whole[cardinality(v_whole)]."table" else y.after_table end,
    after_period_tag = case when cardinality(v_whole) > 0 then v_whole[cardinality(v_whole)].period_tag
      else y.after_period_tag end
  where y.id = x.id;
  if cardinality(v_whole) = cardinality(v_parts) and cardinality(v_parts) < v_at_once then
    update public.deletions y
    set state = 'removed', removed_at = clock_timestamp(),
      removed_through = (select d.version from public.datasets d where d.id = x.dataset_id), after_table = '', after_period_tag = '', after_hash = ''
    where y.id = x.id;
  end if;
  return v_files;
end $function$;

CREATE OR REPLACE FUNCTION sediment.run_vacuum(p_limit integer, p_dataset uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  -- their rows are locked until the slice ends: few at a time, or uploads wait
  v_datasets constant integer := least(p_limit, 50);
  v_interval interval;
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  v_now timestamptz := clock_timestamp();
  d public.datasets;
  v_seen integer := 0;
  v_step jsonb;
  v_versions jsonb := '[]'::jsonb;
  v_keys text[];
  v_dropped integer := 0;
  v_bytes bigint;
  v_delete jsonb;
begin
  select make_interval(secs => s.vacuum_interval_seconds) into strict v_interval from public.service_settings s;

  for d in
    select * from public.datasets x
    where x.vacuumed_at <= v_now - v_interval and (p_dataset is null or x.id = p_dataset)
    order by x.vacuumed_at limit v_datasets
    for no key update skip locked
  loop
    v_seen := v_seen + 1;
    v_step := sediment.advance_versions(d);
    if v_step is not null then
      v_versions := v_versions || v_step;
    end if;
    select x.* into strict d from public.datasets x where x.id = d.id;

    with dropped as (
      delete from public.battle_files f
      where f.id = any (array(
        select x.id from public.battle_files x
        where x.dataset_id = d.id and x.removed_version <= d.vacuumable_version
        order by x.removed_version limit greatest(p_limit - v_dropped, 0)))
      returning f.object_key, f.byte_length
    )
    select coalesce(array_agg(distinct x.object_key), '{}'), v_dropped + count(*), coalesce(sum(x.byte_length), 0)
    into strict v_keys, v_dropped, v_bytes from dropped x;
    if v_bytes > 0 then
      update public.datasets x set retired_bytes = greatest(x.retired_bytes - v_bytes, 0) where x.id = d.id;
    end if;
    perform sediment.retire_object(k.key, format('no version since %s shows it', d.oldest_kept_version), '0')
    from unnest(v_keys) as k(key)
    where not exists (select 1 from public.battle_files f where f.object_key = k.key);
    -- The slice ended inside this dataset: it is due still, behind all that have waited for longer, so that one with much
    -- to drop does not take every slice.
    if v_dropped >= p_limit then
      update public.datasets x set vacuumed_at = v_now - v_interval where x.id = d.id;
      exit;
    end if;
  end loop;

  v_now := clock_timestamp();
  with due as (
    select o.object_key from public.objects o
    where o.delete_after <= v_now and o.state in ('deleting', 'tombstone')
      and (p_dataset is null or o.dataset_id = p_dataset)
    order by o.delete_after limit p_limit
    for update skip locked
  ), handed as (
    update public.objects o
    set delete_after = clock_timestamp() + interval '10 minutes', updated_at = clock_timestamp()
    from due x where o.object_key = x.object_key
    returning o.object_key, o.kind, o.state, o.size, o.delete_reason
  )
  select coalesce(jsonb_agg(jsonb_build_object('object_key', h.object_key, 'kind', h.kind, 'state', h.state,
    'size', h.size, 'reason', h.delete_reason) order by h.object_key), '[]')
  into strict v_delete from handed h;

  return jsonb_build_object('versions', v_versions, 'files_dropped', v_dropped, 'delete', v_delete,
    'more', v_seen >= v_datasets or v_dropped >= p_limit or jsonb_array_length(v_delete) >= p_limit);
end $function$;
