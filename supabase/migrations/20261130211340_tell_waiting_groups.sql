-- Files of schemas that have no union wait apart: partitions.tier_groups, which is null until a run tells of several.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "sediment"."count_waiting"(public.partitions, sediment.commit_file[], timestamp with time zone);

DROP FUNCTION "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone, boolean);

ALTER TABLE "public"."partitions" ADD COLUMN "tier_groups" jsonb;

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
    claimed_debt_bytes = x.debt_bytes, tier_files = '{}', tier_oldest = null, tier_groups = null
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
  v_groups jsonb;
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
    v_tiers := sediment.tier_files_of(p_result -> 'waiting');
    v_waiting := sediment.tier_oldest_of(p_result -> 'waiting');
    -- of what came since the claim no schema is told
    v_groups := (p_result #> '{waiting,groups}') || jsonb_build_object(
      'files', coalesce(to_jsonb(p.tier_files), '[]'), 'oldest', coalesce(to_jsonb(p.tier_oldest), '[]'));
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
      (v_settings ->> 'max_age_seconds')::integer, v_now, v_settings ? 'lake', v_groups));
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
    tier_files = v_tiers, tier_oldest = v_waiting, tier_groups = v_groups,
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

CREATE OR REPLACE FUNCTION sediment.count_in_group(p_groups jsonb, p_schema text, p_tier integer, p_small boolean, p_now timestamp with time zone, p_parts boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_at integer;
  v_known boolean;
  v_files integer[];
  v_oldest timestamptz[];
begin
  select g.n - 1, g.value ? 'schemas' into strict v_at, v_known
  from jsonb_array_elements(p_groups) with ordinality as g(value, n)
  where g.value -> 'schemas' ? p_schema or not g.value ? 'schemas'
  order by g.n limit 1;
  v_files := sediment.tier_files_of(p_groups -> v_at);
  v_oldest := sediment.tier_oldest_of(p_groups -> v_at);
  if p_small then
    v_files := sediment.add_tiers(v_files, array_fill(1, array[1], array[p_tier]));
  end if;
  v_oldest := sediment.oldest_of_tiers(v_oldest, array_fill(p_now, array[1], array[p_tier]));
  if p_parts and v_known then
    p_groups := (select jsonb_agg(case when g.value ? 'schemas'
      then g.value || '{"files": [], "oldest": []}'::jsonb else g.value end order by g.n)
      from jsonb_array_elements(p_groups) with ordinality as g(value, n));
  end if;
  return jsonb_set(p_groups, array[v_at::text],
    (p_groups -> v_at) || jsonb_build_object('files', to_jsonb(v_files), 'oldest', to_jsonb(v_oldest)));
end $function$;

revoke all on function "sediment"."count_in_group"(jsonb, text, integer, boolean, timestamp with time zone, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.count_waiting(x public.partitions, p_files sediment.commit_file[], p_now timestamp with time zone, OUT tier_files integer[], OUT tier_oldest timestamp with time zone[], OUT due_at timestamp with time zone, OUT tier_groups jsonb)
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
  tier_groups := x.tier_groups;
  if x.msg_id is not null and x.lease_expires_at is null then
    return;
  end if;

  select coalesce(t.min_inputs, d.min_inputs, y.min_inputs) as min_inputs,
    coalesce(t.max_age_seconds, d.max_age_seconds, y.max_age_seconds) as max_age_seconds,
    coalesce(t.target_file_bytes, d.target_file_bytes, y.target_file_bytes) as target_file_bytes,
    coalesce(t.healthy_row_group_bytes, d.healthy_row_group_bytes, y.healthy_row_group_bytes) as healthy_row_group_bytes,
    cardinality(coalesce(t.dedupe_keys, d.dedupe_keys)) > 0 as dedupes,
    y.max_object_bytes, y.plan_changed_at, y.planner_version, l.id is not null as in_lake
  into strict s
  from public.service_settings y
  left join public.table_settings t on t.dataset_id = x.dataset_id and t."table" = x."table"
  left join public.table_settings d on d.dataset_id = x.dataset_id and d."table" = '*'
  left join public.lake_tables l on l.name = x."table" and l.withdrawn_at is null
  where y.id;
  v_grown := ceil(0.75 * least(s.target_file_bytes, x.output_cap_bytes));
  foreach f in array p_files loop
    -- Full grown it is a barrier at most, unless its row groups are to be made larger; that may be below the target already,
    -- where the store takes no object of that size.
    v_rewritten := v_rewritten or f.row_group_count > 1
      and f.uncompressed_bytes < s.healthy_row_group_bytes * f.row_group_count
      and f.byte_length >= least(v_grown, s.max_object_bytes / 4, 4194304);
    continue when f.byte_length >= v_grown and not s.in_lake;
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
    -- what is full grown waits for its age alone
    if tier_files is not null and f.byte_length < v_grown then
      tier_files[v_tier] := coalesce(tier_files[v_tier], 0) + 1;
    end if;
    tier_oldest[v_tier] := coalesce(tier_oldest[v_tier], p_now);
    if tier_groups is not null then
      tier_groups := sediment.count_in_group(tier_groups, f.schema_fingerprint, v_tier, f.byte_length < v_grown, p_now,
        s.dedupes and cardinality(p_files) = 1);
    end if;
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
    due_at := least(x.due_at, sediment.next_look(tier_files, tier_oldest, s.min_inputs, s.max_age_seconds, p_now,
      s.in_lake, tier_groups));
  end if;
end $function$;

revoke all on function "sediment"."count_waiting"(public.partitions, sediment.commit_file[], timestamp with time zone) from public, anon, authenticated, service_role;

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
    tier_files = case when v_left.files = 0 then '{}'::integer[] end, tier_oldest = null, tier_groups = null,
    debt_files = v_left.files, debt_bytes = v_left.bytes, debt_oldest = v_left.oldest,
    demand_seq = x.demand_seq + (v_left.files > 0)::integer, done_seq = x.demand_seq,
    last_decision = 'ended: what it was to compact was deleted', last_considered_at = v_now
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  if v_left.files > 0 then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
  end if;
end $function$;

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
    and (x.tier_groups is not null or jsonb_array_length(sediment.settings_of(p_dataset, p_table) -> 'dedupe_keys') > 0);
end $function$;

CREATE OR REPLACE FUNCTION sediment.next_look(p_files integer[], p_oldest timestamp with time zone[], p_min_inputs integer, p_max_age_seconds integer, p_now timestamp with time zone, p_lake boolean DEFAULT false, p_groups jsonb DEFAULT NULL::jsonb)
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
  elsif p_groups is not null then
    -- what is not known may be of any of them
    return (
      select min(sediment.next_look(sediment.add_tiers(sediment.tier_files_of(g.value), o.files),
        sediment.oldest_of_tiers(sediment.tier_oldest_of(g.value), o.oldest), p_min_inputs, p_max_age_seconds, p_now, p_lake))
      from (select sediment.tier_files_of(p_groups -> -1) as files, sediment.tier_oldest_of(p_groups -> -1) as oldest) o
      cross join jsonb_array_elements(p_groups) as g(value)
      where g.value ? 'schemas');
  end if;
  for i in 1 .. coalesce(greatest(array_upper(p_files, 1), array_upper(p_oldest, 1)), 0) loop
    if p_files[i] >= greatest(p_min_inputs, 2) then
      return p_now;
    end if;
    v_files := v_files + coalesce(p_files[i], 0);
    if (v_files > 1 or p_lake) and p_oldest[i] is not null then
      v_look := least(v_look, p_oldest[i] + make_interval(secs => p_max_age_seconds));
    end if;
  end loop;
  return case when v_look < p_now then p_now else v_look end;
end $function$;

revoke all on function "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone, boolean, jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.set_aside_lost(p_file bigint, p_code text, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_key text;
begin
  update public.battle_files f
  set state = 'quarantined', quarantine_code = p_code, quarantine_reason = left(p_reason, 2000),
    quarantined_at = v_now, lost_since = coalesce(f.lost_since, v_now)
  where f.id = p_file and f.removed_version is null
  returning f.object_key into strict v_key;
  insert into public.store_findings (object_key, kind, detail, found_at, looked_at, confirmed_at)
  values (v_key, case p_code when 'object_missing' then 'lost' else 'changed' end, left(p_reason, 1000), v_now, v_now, v_now)
  on conflict (object_key) do nothing;
  perform sediment.plan_remake(p_file);
  update public.partitions x set due_at = v_now
  from public.battle_files f
  where f.id = p_file and x.dataset_id = f.dataset_id and x."table" = f."table" and x.period_tag = f.period_tag
    and x.tier_groups is not null and x.msg_id is null and x.dead_since is null;
end $function$;

CREATE OR REPLACE FUNCTION sediment.tier_files_of(p_waiting jsonb)
 RETURNS integer[]
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return array(select greatest(t.value::integer, 0)
    from jsonb_array_elements_text(p_waiting -> 'files') with ordinality as t(value, n) order by t.n);
end $function$;

revoke all on function "sediment"."tier_files_of"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.tier_oldest_of(p_waiting jsonb)
 RETURNS timestamp with time zone[]
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return array(select t.value::timestamptz
    from jsonb_array_elements_text(p_waiting -> 'oldest') with ordinality as t(value, n) order by t.n);
end $function$;

revoke all on function "sediment"."tier_oldest_of"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.write_commits(p_calls sediment.commit_call[], p_plan sediment.commit_plan, p_direct boolean)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_parts sediment.partition_change[];
  v_last_seqs bigint[]; -- of each of the parts
  v_seqs bigint[]; -- of each file, in the order of v_files
  v_made uuid[]; -- the dataset of each partition that is new, and its first file
  v_made_parts integer[] := array[]::integer[];
  v_made_runs uuid[]; -- and the run that is kept for it, where none opens
  v_delay constant integer := p_plan.delay;
  v_files constant sediment.commit_file[] := p_plan.files;
  v_given constant sediment.partition_change[] := p_plan.parts;
  v_versions public.dataset_versions[];
  v_look boolean;
  v_answers jsonb[];
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
      (tier_files, tier_oldest, due_at, tier_groups) = (
        select x.tier_files, x.tier_oldest, x.due_at, x.tier_groups
        where x.msg_id is not null and x.lease_expires_at is null
        union all
        select w.tier_files, w.tier_oldest, w.due_at, w.tier_groups
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
  )
  select array_agg(r.part order by r.first_file), array_agg(r.last_seq order by r.first_file)
  into strict v_parts, v_last_seqs
  from raised r;
  if cardinality(v_made_parts) > 0 then
    select array_agg(x.part order by x.first_file), array_agg(x.last_seq order by x.first_file)
    into strict v_parts, v_last_seqs
    from (
      select r.first_file, row(r.dataset_id, r."table", r.period_tag, r.first_file, r.last_file, r.bytes, r.calls,
        r.run_id)::sediment.partition_change as part, v_last_seqs[r.nth] as last_seq
      from unnest(v_parts) with ordinality
        as r(dataset_id, "table", period_tag, first_file, last_file, bytes, calls, run_id, nth)
      union all
      select f.first_file, row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        m.run_id)::sediment.partition_change, f.last_file - f.first_file + 1
      from unnest(v_made_parts, v_made_runs) as m(first_file, run_id)
      join unnest(v_given) as f on f.first_file = m.first_file
    ) x;
  end if;
  for i in 1 .. cardinality(v_parts) loop
    for v_nth in v_parts[i].first_file .. v_parts[i].last_file loop
      v_seqs[v_nth] := v_last_seqs[i] - v_parts[i].last_file + v_nth;
    end loop;
  end loop;

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
  select array_agg(jsonb_build_object('answer', a.answer) order by a.n) into strict v_answers from answers a;
  return v_answers;
end $function$;

REVOKE ALL ON FUNCTION "sediment"."count_in_group"(jsonb, text, integer, boolean, timestamp with time zone, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."count_in_group"(jsonb, text, integer, boolean, timestamp with time zone, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."count_waiting"(public.partitions, sediment.commit_file[], timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."count_waiting"(public.partitions, sediment.commit_file[], timestamp with time zone) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone, boolean, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone, boolean, jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."tier_files_of"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."tier_files_of"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."tier_oldest_of"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."tier_oldest_of"(jsonb) TO "service_role";
