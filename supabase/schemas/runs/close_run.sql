-- The last commit of a run: frees the lease, archives the message, takes over the planner's view of the debt,
-- and makes sure that nothing which came meanwhile is lost. The caller holds the partition's lock. p_result:
-- {decision, debt: {files, bytes, oldest}, next_due_at, unseen (files that nobody looked at are left), waiting: {files,
-- oldest, groups} (what it leaves by size tier, as of tier_files, tier_oldest and, where it is of several
-- groups of schemas, tier_groups; absent: not known), planner (its
-- version), left_alone (files that cost more than a turn may), steps_ms, output}. Returns whether the partition has a
-- live message again.
create or replace function sediment.close_run(p public.partitions, p_progress boolean, p_result jsonb)
returns boolean
language plpgsql
set search_path = ''
as $$
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
end $$;
