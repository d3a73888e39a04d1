-- Looks again at what waits where files leave under a lease or by the check of the store, and forgets the counts of what is deleted.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP VIEW "public"."queue_status";

CREATE OR REPLACE FUNCTION public.schema_version()
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select to_jsonb(7)
$function$;

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
  v_look integer;
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

  -- Few at a time: a change of a setting is no reason for a night's work at once. Also of what has a time at which it is
  -- due: that may come sooner now.
  v_left := 5;
  for p in
    select * from public.partitions x
    where x.msg_id is null and x.dead_since is null and x.last_considered_at < v_settings.plan_changed_at
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
  -- been due for longest are looked at: claims take the oldest too, so what has no message is soon among them. All have theirs
  -- as a rule, so more than the first are looked at only where one of these has none, and each tenth minute: behind the old
  -- ones of one queue there may be those of another.
  foreach v_look in array array[200, p_limit - 200] loop
    for v_due in
      -- as sediment.queue_has, without a call for each
      select * from (
        select x.dataset_id, x."table", x.period_tag, x.queue, x.msg_id from public.partitions x
        where x.msg_id is not null and x.lease_expires_at is null and x.ready_at <= v_now
        order by x.ready_at limit greatest(least(v_look, p_limit), 0)
      ) d
      where case d.queue
        when 'manual' then not exists (select 1 from pgmq.q_compaction_manual m where m.msg_id = any (array[d.msg_id]))
        when 'realtime' then not exists (select 1 from pgmq.q_compaction_realtime m where m.msg_id = any (array[d.msg_id]))
        else not exists (select 1 from pgmq.q_compaction_scheduled m where m.msg_id = any (array[d.msg_id])) end
    loop
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
    exit when v_resent = 0 and extract(minute from v_now)::integer % 10 <> 0;
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
  -- counting in groups costs too much for many: what can't be known makes a run
  tier_groups := case when cardinality(p_files) <= 20 then x.tier_groups end;
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
    and (x.tier_groups is not null or x.lease_expires_at is not null
      or jsonb_array_length(sediment.settings_of(p_dataset, p_table) -> 'dedupe_keys') > 0);
end $function$;

CREATE OR REPLACE FUNCTION sediment.miss_files(p_found jsonb, p_probed boolean)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  s public.service_settings;
  v_now constant timestamptz := clock_timestamp();
  v_many constant integer := 10;
  v_window timestamptz;
  v_room integer;
  v_set_aside integer := 0;
  v record;
  f public.battle_files;
begin
  select * into strict s from public.service_settings;
  v_window := v_now - make_interval(secs => s.breaker_window_seconds);
  if p_probed is false or (select count(*) from public.store_findings n
    where n.kind in ('lost', 'changed') and n.found_at > v_window) >= v_many
  then
    return 0;
  end if;
  v_room := v_many - (select count(*) from (select 1 from public.battle_files x
    where x.removed_version is null and x.lost_since > v_window limit v_many) y);

  if p_probed is null then
    update public.battle_files x set lost_since = v_now
    where x.id = any (array(
      select y.id from jsonb_to_recordset(p_found) as t(object_key text, files bigint[])
      join public.store_findings n on n.object_key = t.object_key
      join public.battle_files y on y.object_key = n.object_key and y.removed_version is null
      where (n.kind = 'lost' or n.kind = 'changed' and y.id = any (t.files)) and n.confirmed_at is not null
        and y.state = 'active' and y.lost_since is null
      order by y.id limit v_room for no key update of y skip locked));
    return 0;
  end if;

  for v in
    select x.id, x.dataset_id, x."table", x.period_tag, x.object_key, n.kind, n.detail, x.level
    from jsonb_to_recordset(p_found) as t(object_key text, files bigint[])
    join public.store_findings n on n.object_key = t.object_key
    join public.battle_files x on x.object_key = t.object_key
    where n.kind in ('lost', 'changed') and n.confirmed_at is not null and x.id = any (t.files)
      and x.removed_version is null and x.state = 'active'
    order by x.dataset_id, x."table", x.period_tag, x.id
  loop
    exit when v_set_aside >= v_room;
    perform 1 from public.partitions y
    where y.dataset_id = v.dataset_id and y."table" = v."table" and y.period_tag = v.period_tag
    for no key update skip locked;
    continue when not found;
    -- healed, merged or deleted meanwhile
    select * into f from public.battle_files x where x.id = v.id;
    continue when not found or f.object_key <> v.object_key or f.removed_version is not null or f.state <> 'active';
    perform sediment.set_aside_lost(v.id, case v.kind when 'lost' then 'object_missing' else 'object_changed' end,
      'the check of the store: ' || v.detail);
    -- it counts among those of this time, whenever a merge first missed it
    update public.battle_files x set lost_since = v_now where x.id = v.id;
    v_set_aside := v_set_aside + 1;
    if v.level > 0 then
      update public.partitions y set demand_seq = y.demand_seq + 1
      where y.dataset_id = v.dataset_id and y."table" = v."table" and y.period_tag = v.period_tag;
      perform sediment.wake_partition(v.dataset_id, v."table", v.period_tag, 'scheduled', 'sweep', 0);
    else
      perform sediment.look_again(v.dataset_id, v."table", v.period_tag);
    end if;
  end loop;
  return v_set_aside;
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
  v_pending boolean;
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
      update public.battle_files f
      set removed_version = (
        select min(z.version) from public.deletions z
        where z.dataset_id = x.dataset_id and z.state = 'marked' and z.version > f.added_version
          and (z."table" is null or z."table" = f."table") and (z.period_tag is null or z.period_tag = f.period_tag))
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
  select exists (select 1 from public.deleted_slices s where s.dataset_id = x.dataset_id and s.version is null)
  into strict v_pending;
  foreach p in array v_whole loop
    if v_pending then
      perform sediment.settle_slices(p.dataset_id, p."table", p.period_tag, x.version);
    end if;
    -- also what is known of files that wait, by which later ones are counted
    if p.msg_id is not null or p.debt_oldest is not null or p.due_at is not null or p.dead_since is not null
      or p.demand_seq > p.done_seq or p.tier_groups is not null or p.tier_files is distinct from '{}'
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

CREATE VIEW "public"."queue_status" WITH (security_invoker=true) AS  SELECT name AS queue,
    messages,
        CASE
            WHEN ((messages < 1000) OR (due < 1000) OR (hidden = 1000)) THEN due
            ELSE GREATEST((messages - hidden), due)
        END AS due,
        CASE
            WHEN (first_vt <= statement_timestamp()) THEN first_vt
            ELSE NULL::timestamp with time zone
        END AS oldest_due_at,
    newest_at
   FROM ( SELECT 'manual'::text AS name,
            ( SELECT
                        CASE
                            WHEN (count(*) < 1000) THEN count(*)
                            ELSE GREATEST(count(*), ( SELECT (c.reltuples)::bigint AS reltuples
                               FROM pg_class c
                              WHERE (c.oid = ('pgmq.q_compaction_manual'::regclass)::oid)))
                        END AS "greatest"
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_manual m
                         LIMIT 1000) x) AS messages,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_manual m
                          WHERE (m.vt <= statement_timestamp())
                         LIMIT 1000) x) AS due,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_manual m
                          WHERE (m.vt > statement_timestamp())
                         LIMIT 1000) x) AS hidden,
            ( SELECT min(m.vt) AS min
                   FROM pgmq.q_compaction_manual m) AS first_vt,
            ( SELECT m.enqueued_at
                   FROM pgmq.q_compaction_manual m
                  ORDER BY m.msg_id DESC
                 LIMIT 1) AS newest_at
        UNION ALL
         SELECT 'realtime'::text AS name,
            ( SELECT
                        CASE
                            WHEN (count(*) < 1000) THEN count(*)
                            ELSE GREATEST(count(*), ( SELECT (c.reltuples)::bigint AS reltuples
                               FROM pg_class c
                              WHERE (c.oid = ('pgmq.q_compaction_realtime'::regclass)::oid)))
                        END AS "greatest"
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_realtime m
                         LIMIT 1000) x) AS messages,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_realtime m
                          WHERE (m.vt <= statement_timestamp())
                         LIMIT 1000) x) AS due,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_realtime m
                          WHERE (m.vt > statement_timestamp())
                         LIMIT 1000) x) AS hidden,
            ( SELECT min(m.vt) AS min
                   FROM pgmq.q_compaction_realtime m) AS first_vt,
            ( SELECT m.enqueued_at
                   FROM pgmq.q_compaction_realtime m
                  ORDER BY m.msg_id DESC
                 LIMIT 1) AS newest_at
        UNION ALL
         SELECT 'scheduled'::text AS name,
            ( SELECT
                        CASE
                            WHEN (count(*) < 1000) THEN count(*)
                            ELSE GREATEST(count(*), ( SELECT (c.reltuples)::bigint AS reltuples
                               FROM pg_class c
                              WHERE (c.oid = ('pgmq.q_compaction_scheduled'::regclass)::oid)))
                        END AS "greatest"
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_scheduled m
                         LIMIT 1000) x) AS messages,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_scheduled m
                          WHERE (m.vt <= statement_timestamp())
                         LIMIT 1000) x) AS due,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_scheduled m
                          WHERE (m.vt > statement_timestamp())
                         LIMIT 1000) x) AS hidden,
            ( SELECT min(m.vt) AS min
                   FROM pgmq.q_compaction_scheduled m) AS first_vt,
            ( SELECT m.enqueued_at
                   FROM pgmq.q_compaction_scheduled m
                  ORDER BY m.msg_id DESC
                 LIMIT 1) AS newest_at) q;

revoke all on "public"."queue_status" from public, anon, authenticated, service_role;

GRANT SELECT ON TABLE "public"."queue_status" TO "service_role";
