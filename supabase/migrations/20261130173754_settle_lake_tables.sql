-- Uploads of tables of the lake are written anew at their age, alone if they have no company, and outputs of before over time.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone);

ALTER TABLE "public"."lake_tables" ADD COLUMN "settling_since" timestamp with time zone;

ALTER TABLE "public"."lake_tables" ADD COLUMN "settled_period_tag" text NOT NULL DEFAULT ''::text;

ALTER TABLE "public"."lake_tables" ADD COLUMN "settled_seq" bigint NOT NULL DEFAULT '-1'::integer;

CREATE OR REPLACE FUNCTION public.approve_lake_table(p_name text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '300s'
AS $function$
declare
  v_most constant integer := 200;
  v_most_ever constant integer := 1000;
  v_failure constant jsonb := sediment.name_failure('table', p_name);
  v_named text[];
  v_prefix text := '';
  x public.lake_tables;
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  lock table public.lake_tables in share row exclusive mode;
  select * into x from public.lake_tables t where t.name = p_name;
  if x.id is not null and x.withdrawn_at is null then
    return sediment.lake_table_json(x);
  end if;
  if (select count(*) from public.lake_tables t where t.withdrawn_at is null) >= v_most
    or x.id is null and (select count(*) from public.lake_tables) >= v_most_ever
  then
    perform sediment.fail('quota_exceeded', 429, 'the lake takes no further table',
      format('%s tables at once, and %s names ever', v_most, v_most_ever));
  end if;

  if x.id is not null then
    update public.lake_tables t
    set approved_at = clock_timestamp(), withdrawn_at = null, settled_dataset_id = '00000000-0000-0000-0000-000000000000',
      settling_since = null, settled_period_tag = '', settled_seq = -1
    where t.id = x.id
    returning * into strict x;
    return sediment.lake_table_json(x);
  end if;
  -- few schemas have such a column; where none has, no file is looked at
  v_named := array(select k.digest from public.file_schemas k
    where exists (select 1 from jsonb_path_query(k.schema, '$.children[*].name') c
      where lower(c #>> '{}') in ('dataset_id', 'period_tag')));
  if cardinality(v_named) > 0 and exists (
    select 1 from public.battle_files f
    where f."table" = p_name and coalesce(f.schema_digest, f.schema_fingerprint) = any (v_named))
  then
    v_prefix := '_';
  end if;
  insert into public.lake_tables (name, dataset_column, period_column, settled_dataset_id)
  values (p_name, v_prefix || 'dataset_id', v_prefix || 'period_tag', '00000000-0000-0000-0000-000000000000')
  returning * into strict x;
  return sediment.lake_table_json(x);
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
  perform sediment.refuse_request(p_user);
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
      lost_since = null, remake_at = null,
      rewrite = coalesce(f.rewrite, sediment.lake_mark(f."table", f.level, f.lake_version))
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
  perform sediment.spend_request(p_user, jsonb_array_length(v_requested));
  return jsonb_build_object('dataset_id', d.id, 'files', v_files, 'requested', v_requested);
end $function$;

CREATE OR REPLACE FUNCTION sediment.advance_lake(p_bytes bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_ahead constant integer := 100;
  v_looked constant integer := 5000;
  v_datasets constant integer := 2000;
  v_stopped boolean := false;
  v_room integer;
  v_left bigint := p_bytes;
  v_seen integer := 0;
  v_marked integer := 0;
  v_dataset uuid;
  v_page record;
  t public.lake_tables;
begin
  select * into t from public.lake_tables x
  where x.settled_dataset_id is not null order by x.settling_since nulls first, x.id limit 1
  for no key update skip locked;
  if not found then
    return '{"marked": 0, "bytes": 0}';
  end if;
  t.settling_since := coalesce(t.settling_since, clock_timestamp());
  v_room := v_ahead - (select count(*) from (
    select 1 from public.battle_files f
    join public.partitions p on p.dataset_id = f.dataset_id and p."table" = f."table" and p.period_tag = f.period_tag
    where f.rewrite is not null and f.removed_version is null and f."table" = t.name and p.msg_id is not null
    limit v_ahead) x);

  for v_dataset in
    select d.id from public.datasets d where d.id >= t.settled_dataset_id order by d.id limit v_datasets
  loop
    v_seen := v_seen + 1;
    if v_dataset > t.settled_dataset_id then
      t.settled_dataset_id := v_dataset;
      t.settled_period_tag := '';
      t.settled_seq := -1;
    end if;
    continue when not exists (select 1 from public.partitions p where p.dataset_id = v_dataset and p."table" = t.name);
    v_stopped := v_room <= 0 or (v_left <= 0 and v_marked > 0) or exists (select 1 from public.partitions p
      where p.dataset_id = v_dataset and p."table" = t.name and p.lease_expires_at is not null
        and p.claimed_at <= t.settling_since);
    exit when v_stopped;
    with looked as (
      select f.id, f.period_tag, f.seq_min, f.byte_length,
        f.state = 'active' and f.rewrite is null and f.level > 0 and f.lake_version is null as older
      from public.battle_files f
      where f.dataset_id = v_dataset and f."table" = t.name and f.removed_version is null
        and (f.period_tag, f.seq_min) > (t.settled_period_tag, t.settled_seq)
      order by f.period_tag, f.seq_min limit v_looked
    ), older as (
      select l.*, row_number() over w as n, sum(l.byte_length) over w - l.byte_length as before
      from looked l where l.older
      window w as (order by l.period_tag, l.seq_min)
    ), taken as (
      select o.* from older o where o.n <= v_room and (o.before < v_left or o.n = 1 and v_marked = 0)
    ), reached as (
      -- behind what was taken, or behind all that was looked at where all of that was
      select r.period_tag, r.seq_min from (
        select k.period_tag, k.seq_min from taken k where (select count(*) from taken) < (select count(*) from older)
        union all
        select l.period_tag, l.seq_min from looked l where (select count(*) from taken) = (select count(*) from older)
      ) r order by r.period_tag desc, r.seq_min desc limit 1
    )
    select coalesce((select jsonb_agg(jsonb_build_object('id', k.id, 'reason', 'its table is in the lake') order by k.n)
        from taken k), '[]') as files,
      (select coalesce(sum(k.byte_length), 0) from taken k) as bytes,
      (select count(*) from looked) < v_looked and (select count(*) from taken) = (select count(*) from older) as whole,
      r.period_tag, r.seq_min
    into strict v_page
    from (values (true)) one (row) left join reached r on true;

    perform public.mark_for_rewrite(v_page.files);
    v_marked := v_marked + jsonb_array_length(v_page.files);
    v_room := v_room - jsonb_array_length(v_page.files);
    v_left := v_left - v_page.bytes;
    t.settled_period_tag := coalesce(v_page.period_tag, t.settled_period_tag);
    t.settled_seq := coalesce(v_page.seq_min, t.settled_seq);
    v_stopped := not v_page.whole;
    exit when v_stopped;
  end loop;
  update public.lake_tables x
  set settled_dataset_id = case when v_stopped or v_seen = v_datasets then t.settled_dataset_id end, settling_since = t.settling_since,
    settled_period_tag = t.settled_period_tag, settled_seq = t.settled_seq
  where x.id = t.id;
  return jsonb_build_object('marked', v_marked, 'bytes', p_bytes - v_left);
end $function$;

revoke all on function "sediment"."advance_lake"(bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.advance_rewrites()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  v_ahead constant integer := 100;
  v_looked constant integer := 5000;
  v_turns constant integer := 20;
  v_turn integer := 0;
  v_picked jsonb;
  v_lake jsonb;
  v_share bigint;
  v_left bigint := (select s.rewrite_bytes_per_hour / 60 from public.service_settings s);
  v_marked bigint := 0;
  v_bytes bigint := 0;
  v_ended integer := 0;
  v_room bigint;
  v_page record;
  v_now timestamptz;
  v_settings jsonb;
  v_grown bigint;
  v_waits timestamptz;
  x public.rewrites;
begin
  v_picked := (
    select jsonb_agg(jsonb_build_object('dataset', p.dataset_id, 'table', p."table") order by p.n) from (
      select o.dataset_id, o."table", row_number() over (order by o.of_dataset, o.looked_at nulls first, o.asked_at) as n
      from (select r.dataset_id, r."table", r.looked_at, r.asked_at, row_number() over (
          partition by r.dataset_id order by r.looked_at nulls first, r.asked_at) as of_dataset
        from public.rewrites r where r.ended_at is null) o
      order by n limit v_turns) p);
  for x in
    select r.* from jsonb_array_elements(v_picked) with ordinality as p(picked, n)
    join public.rewrites r on r.dataset_id = (p.picked ->> 'dataset')::uuid and r."table" = p.picked ->> 'table'
    where r.ended_at is null order by p.n
    for update of r skip locked
  loop
    exit when v_left <= 0 and v_marked > 0;
    v_now := clock_timestamp();
    v_share := greatest(v_left / (jsonb_array_length(v_picked) - v_turn), 1);
    v_turn := v_turn + 1;
    update public.rewrites r set looked_at = v_now where r.dataset_id = x.dataset_id and r."table" = x."table";
    if x.made_before is null then
      continue when exists (select 1 from public.partitions p
        where p.lease_expires_at > v_now and p.dataset_id = x.dataset_id and p."table" = x."table"
          and p.claimed_at <= x.asked_at);
      x.made_before := v_now;
    end if;
    v_room := v_ahead - sediment.files_to_rewrite(x, true, v_ahead);
    continue when v_room <= 0;

    v_settings := sediment.settings_of(x.dataset_id, x."table");
    v_grown := ceil(0.75 * (v_settings ->> 'target_file_bytes')::bigint);
    v_waits := v_now - make_interval(secs => (v_settings ->> 'max_age_seconds')::integer);
    with looked as (
      select f.id, f.period_tag, f.seq_min, f.byte_length,
        f.state = 'active' and f.rewrite is null and f.uploaded_at < x.made_before
          and (f.level > 0 or f.byte_length >= v_grown or f.uploaded_at < v_waits) as older
      from public.battle_files f
      where f.dataset_id = x.dataset_id and f."table" = x."table" and f.removed_version is null
        and (f.period_tag, f.seq_min) > (x.after_period_tag, x.after_seq)
        and (x.period_tag is null or f.period_tag = x.period_tag)
      order by f.period_tag, f.seq_min limit v_looked
    ), older as (
      select l.*, row_number() over w as n, sum(l.byte_length) over w - l.byte_length as before
      from looked l where l.older
      window w as (order by l.period_tag, l.seq_min)
    ), taken as (
      select o.* from older o where o.n <= v_room and (o.before < v_share or o.n = 1 and v_marked = 0)
    ), reached as (
      -- the walk goes on behind what was taken, or behind all that was looked at where all of that was
      select r.period_tag, r.seq_min from (
        select t.period_tag, t.seq_min from taken t where (select count(*) from taken) < (select count(*) from older)
        union all
        select l.period_tag, l.seq_min from looked l where (select count(*) from taken) = (select count(*) from older)
      ) r order by r.period_tag desc, r.seq_min desc limit 1
    )
    select coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'anew', true,
        'reason', 'the table''s settings may have changed since') order by t.n) from taken t), '[]') as files,
      (select coalesce(sum(t.byte_length), 0) from taken t) as bytes,
      (select count(*) from looked) < v_looked and (select count(*) from taken) = (select count(*) from older) as whole,
      r.period_tag, r.seq_min
    into strict v_page
    from (values (true)) one (row) left join reached r on true;

    perform public.mark_for_rewrite(v_page.files);
    v_left := v_left - v_page.bytes;
    v_bytes := v_bytes + v_page.bytes;
    v_marked := v_marked + jsonb_array_length(v_page.files);
    v_ended := v_ended + v_page.whole::integer;
    update public.rewrites r
    set made_before = x.made_before, files = r.files + jsonb_array_length(v_page.files), bytes = r.bytes + v_page.bytes,
      after_period_tag = coalesce(v_page.period_tag, r.after_period_tag),
      after_seq = coalesce(v_page.seq_min, r.after_seq), ended_at = case when v_page.whole then clock_timestamp() end
    where r.dataset_id = x.dataset_id and r."table" = x."table";
  end loop;
  if v_marked = 0 then
    v_lake := sediment.advance_lake(v_left);
    v_marked := (v_lake ->> 'marked')::bigint;
    v_bytes := (v_lake ->> 'bytes')::bigint;
  end if;
  return jsonb_build_object('marked', v_marked, 'bytes', v_bytes, 'ended', v_ended);
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
      (v_settings ->> 'max_age_seconds')::integer, v_now, v_settings ? 'lake'));
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
      s.in_lake));
  end if;
end $function$;

CREATE OR REPLACE FUNCTION sediment.lake_mark(p_table text, p_level integer, p_lake_version smallint)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select '{"reason": "its table is in the lake", "schema": null}'::jsonb
  where p_level > 0 and p_lake_version is null
    and exists (select 1 from public.lake_tables t where t.name = p_table and t.withdrawn_at is null)
$function$;

revoke all on function "sediment"."lake_mark"(text, integer, smallint) from public, anon, authenticated, service_role;

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
  -- uploads of any size are written anew for the lake
  v_lake constant boolean := p_settings ? 'lake';
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
        and (f.row_group_count > 1 and f.uncompressed_bytes < v_healthy * f.row_group_count
          or v_lake and f.lake_version is null))) as done
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

CREATE OR REPLACE FUNCTION sediment.next_look(p_files integer[], p_oldest timestamp with time zone[], p_min_inputs integer, p_max_age_seconds integer, p_now timestamp with time zone, p_lake boolean DEFAULT false)
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

revoke all on function "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.readmit_files(p_sound text[], p_intact bigint[], p_etags jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v record;
  v_codes constant text[] := array['object_missing', 'object_changed'];
begin
  update public.battle_files f
  set lost_since = case when f.state = 'active' then null else f.lost_since end,
    etag = coalesce(p_etags ->> f.object_key, f.etag)
  where f.id = any (array(
    select x.id from public.battle_files x
    where x.object_key = any (p_sound) and x.removed_version is null
      and (x.lost_since is not null and x.state = 'active' or p_etags ? x.object_key)
    order by x.id for no key update skip locked));
  for v in
    select x.id, x.dataset_id, x."table", x.period_tag from public.battle_files x
    where x.id = any (p_intact) and x.object_key = any (p_sound) and x.removed_version is null
      and x.state = 'quarantined' and x.quarantine_code = any (v_codes)
    order by x.dataset_id, x."table", x.period_tag, x.id
  loop
    perform 1 from public.partitions y
    where y.dataset_id = v.dataset_id and y."table" = v."table" and y.period_tag = v.period_tag
    for no key update skip locked;
    continue when not found;
    update public.battle_files x
    set state = 'active', quarantine_code = null, quarantine_reason = null, quarantined_at = null, lost_since = null,
      remake_at = null, remake_tries = 0,
      rewrite = coalesce(x.rewrite, sediment.lake_mark(x."table", x.level, x.lake_version))
    where x.id = v.id and x.object_key = any (p_sound) and x.removed_version is null and x.state = 'quarantined'
      and x.quarantine_code = any (v_codes);
    continue when not found;
    update public.partitions y set demand_seq = y.demand_seq + 1
    where y.dataset_id = v.dataset_id and y."table" = v."table" and y.period_tag = v.period_tag;
    perform sediment.wake_partition(v.dataset_id, v."table", v.period_tag, 'scheduled', 'sweep', 0);
  end loop;
end $function$;

REVOKE ALL ON FUNCTION "sediment"."advance_lake"(bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."advance_lake"(bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lake_mark"(text, integer, smallint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lake_mark"(text, integer, smallint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."next_look"(integer[], timestamp with time zone[], integer, integer, timestamp with time zone, boolean) TO "service_role";
