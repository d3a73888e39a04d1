-- Upkeep, views and commits touch what they answer; what is forgotten is forgotten as fast as it comes. Views are made anew in
-- this transaction, for their columns are the same. The indexes come in files of their own.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP INDEX "public"."partitions_dead";

DROP VIEW "public"."dataset_status";

DROP VIEW "public"."partition_status";

DROP VIEW "public"."queue_status";

DROP FUNCTION "public"."prune_history"(integer);

CREATE OR REPLACE FUNCTION public.list_objects(p_state text DEFAULT NULL::text, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_after text := coalesce(sediment.decode_cursor(p_cursor) ->> 'after', '');
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_objects jsonb;
  v_seen bigint;
  v_last text;
begin
  with seen as (
    select x.object_key, x.kind, x.state, x.size, x.etag from public.objects x
    where x.object_key > v_after order by x.object_key limit v_limit * case when p_state is null then 1 else 20 end
  ), page as (
    select * from seen s where p_state is null or s.state = p_state order by s.object_key limit v_limit
  )
  select coalesce(jsonb_agg(jsonb_build_object('object_key', o.object_key, 'kind', o.kind, 'state', o.state,
      'size', o.size, 'etag', o.etag) order by o.object_key), '[]'),
    (select count(*) from seen), (select max(s.object_key) from seen s)
  into strict v_objects, v_seen, v_last
  from page o;
  return jsonb_build_object('objects', v_objects, 'next_cursor', case
    when jsonb_array_length(v_objects) = v_limit
      then sediment.encode_cursor(jsonb_build_object('after', v_objects -> -1 ->> 'object_key'))
    when v_seen = v_limit * 20 then sediment.encode_cursor(jsonb_build_object('after', v_last)) end);
end $function$;

CREATE OR REPLACE FUNCTION public.prune_history(p_limit integer DEFAULT 10000, p_seconds integer DEFAULT 0)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 10000), 1), 50000);
  v_until constant timestamptz := clock_timestamp() + make_interval(secs => least(coalesce(p_seconds, 0), 50));
  v_sum jsonb := sediment.prune_pass(v_limit);
  v_pass jsonb;
begin
  while (v_sum ->> 'more')::boolean and clock_timestamp() < v_until loop
    v_pass := sediment.prune_pass(v_limit);
    select jsonb_object_agg(p.key, case when p.key = 'more' then p.value
      else to_jsonb(p.value::text::bigint + (v_sum ->> p.key)::bigint) end)
    into strict v_sum from jsonb_each(v_pass) p;
  end loop;
  return v_sum;
end $function$;

revoke all on function "public"."prune_history"(integer, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.sweep(p_limit integer DEFAULT 500)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  p public.partitions;
  v_due record;
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
  -- each upload brings such a row, of which nothing more is to be done
  v_forgotten constant integer := p_limit * 10;
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

  -- A partition without lease whose message is gone (purge_queue, a restored backup) sends it again. Only those that have
  -- been due for longest are looked at: claims take the oldest too, so what has no message is soon among them.
  for v_due in
    select x.dataset_id, x."table", x.period_tag, x.queue, x.msg_id from public.partitions x
    where x.msg_id is not null and x.lease_expires_at is null and x.ready_at <= v_now
    order by x.ready_at limit p_limit
  loop
    continue when sediment.queue_has(v_due.queue, v_due.msg_id);
    -- look again under the lock: the first look was at an older snapshot
    select * into p from public.partitions x
    where x.dataset_id = v_due.dataset_id and x."table" = v_due."table" and x.period_tag = v_due.period_tag
    for no key update skip locked;
    continue when not found or p.msg_id is null or p.lease_expires_at is not null
      or sediment.queue_has(p.queue, p.msg_id);
    v_ready := clock_timestamp();
    update public.partitions x
    set ready_at = v_ready,
      msg_id = sediment.queue_send(p.queue, p.run_id, p.dataset_id, p."table", p.period_tag, 0)
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    v_resent := v_resent + 1;
  end loop;

  -- The same of a request for a whole dataset that is not yet spread.
  for v_fan_out in
    select * from public.processing_metrics x
    where x.operation = 'fan_out' and x.completed_at is null and x.fan_out_cursor is not null
      and x.queued_at <= v_now - interval '1 minute'
      and not exists (select 1 from sediment.queue_messages m
        where m.message ->> 'metricId' = x.id::text and m.message -> 'table' is null)
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
    where x.created_at < v_now - interval '1 day' limit v_forgotten for update skip locked));

  foreach v_queue in array '{manual,realtime,scheduled,dlq}'::text[] loop
    execute format('delete from pgmq.%1$I a where a.msg_id = any (array(select x.msg_id from pgmq.%1$I x
      where x.archived_at < $1 order by x.archived_at limit $2))', 'a_compaction_' || v_queue)
    using v_now - make_interval(secs => v_archive), v_forgotten;
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
    select 1 from public.partitions p where p.msg_id is not null and p.ready_at <= v_now limit 64) x;
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

  -- Among as many debts as a call can ask for: older ones go first, and all others can wait for the next night.
  select coalesce(array_agg(x.dataset_id order by x.oldest), '{}') into strict v_datasets
  from (
    select o.dataset_id, min(o.debt_oldest) as oldest
    from (
      select p.dataset_id, p.debt_oldest from public.partitions p
      where p.debt_oldest is not null and p.msg_id is null and p.dead_since is null
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

CREATE OR REPLACE FUNCTION public.wake_vacuum()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return jsonb_build_object('woken', sediment.pings_queued('/compactor/vacuum') = 0
    and sediment.ping_functions('/compactor/vacuum') is not null);
end $function$;

revoke all on function "public"."wake_vacuum"() from public, anon, authenticated, service_role;

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

  return jsonb_build_object('runs', cardinality(v_runs), 'commits', v_commits, 'dead_letters', v_letters,
    'alerts', v_alerts, 'objects', v_objects,
    'more', greatest(cardinality(v_runs), v_letters, v_alerts, v_objects) = p_limit);
end $function$;

revoke all on function "sediment"."prune_pass"(integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.queue_has(p_queue text, p_msg_id bigint)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_has boolean;
begin
  execute format('select exists (select 1 from pgmq.%I m where m.msg_id = $1)', 'q_compaction_' || p_queue)
  into v_has using p_msg_id;
  return v_has;
end $function$;

revoke all on function "sediment"."queue_has"(text, bigint) from public, anon, authenticated, service_role;

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
  v_version public.dataset_versions;
  v_removed bigint;
  v_now timestamptz := clock_timestamp();
  v_file bigint;
begin
  select count(distinct f.id) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.row_group_count), 0)::bigint as row_groups,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed, max(f.level) as level,
    min(f.seq_min) as seq_min, max(f.seq_max) as seq_max
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
      and f.removed_version is null and f.seq_min <= v_in.seq_max and f.seq_max >= v_in.seq_min)
  then
    perform sediment.fail('inputs_not_adjacent', 409,
      format('a file between upload %s and %s is not among the inputs', v_in.seq_min, v_in.seq_max));
  end if;

  v_version := (sediment.next_versions(array[row(p.dataset_id,
    case when p_output is null then 0 else 1 end - v_in.files, coalesce(v_out.size, 0) - v_in.bytes,
    coalesce(v_out.row_count, 0) - v_in.rows, coalesce(v_out.uncompressed_bytes, 0) - v_in.uncompressed,
    coalesce(v_out.etag, ''))::sediment.dataset_change]))[1];

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
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum, sediment.schema_digest(p_output -> 'schema')
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
  v_versions jsonb := '[]';
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
    d.updated_at
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
    debt_files,
    debt_bytes,
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
    dead_since
   FROM public.partitions p;

revoke all on "public"."partition_status" from public, anon, authenticated, service_role;

CREATE VIEW "public"."queue_status" WITH (security_invoker=true) AS  SELECT name AS queue,
    messages,
    due,
        CASE
            WHEN (first_vt <= statement_timestamp()) THEN first_vt
            ELSE NULL::timestamp with time zone
        END AS oldest_due_at,
    newest_at
   FROM ( SELECT 'manual'::text AS name,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_manual m
                         LIMIT 10000) x) AS messages,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_manual m
                          WHERE (m.vt <= statement_timestamp())
                         LIMIT 10000) x) AS due,
            ( SELECT min(m.vt) AS min
                   FROM pgmq.q_compaction_manual m) AS first_vt,
            ( SELECT m.enqueued_at
                   FROM pgmq.q_compaction_manual m
                  ORDER BY m.msg_id DESC
                 LIMIT 1) AS newest_at
        UNION ALL
         SELECT 'realtime'::text AS name,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_realtime m
                         LIMIT 10000) x) AS messages,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_realtime m
                          WHERE (m.vt <= statement_timestamp())
                         LIMIT 10000) x) AS due,
            ( SELECT min(m.vt) AS min
                   FROM pgmq.q_compaction_realtime m) AS first_vt,
            ( SELECT m.enqueued_at
                   FROM pgmq.q_compaction_realtime m
                  ORDER BY m.msg_id DESC
                 LIMIT 1) AS newest_at
        UNION ALL
         SELECT 'scheduled'::text AS name,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_scheduled m
                         LIMIT 10000) x) AS messages,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_scheduled m
                          WHERE (m.vt <= statement_timestamp())
                         LIMIT 10000) x) AS due,
            ( SELECT min(m.vt) AS min
                   FROM pgmq.q_compaction_scheduled m) AS first_vt,
            ( SELECT m.enqueued_at
                   FROM pgmq.q_compaction_scheduled m
                  ORDER BY m.msg_id DESC
                 LIMIT 1) AS newest_at) q;

revoke all on "public"."queue_status" from public, anon, authenticated, service_role;

REVOKE ALL ON FUNCTION "public"."prune_history"(integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."prune_history"(integer, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."wake_vacuum"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."wake_vacuum"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."prune_pass"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."prune_pass"(integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."queue_has"(text, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."queue_has"(text, bigint) TO "service_role";

GRANT SELECT ON TABLE "public"."dataset_status" TO "authenticated", "service_role";

GRANT SELECT ON TABLE "public"."partition_status" TO "authenticated", "service_role";

GRANT SELECT ON TABLE "public"."queue_status" TO "service_role";

select cron.schedule('sediment_history', '* * * * *', 'select public.prune_history(10000, 20)');
