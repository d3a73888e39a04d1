-- Each minute: what must not be forgotten.
--   debt that is due and has no live message gets one, of dead partitions too; partitions that were seen whole and are
--   to be planned by other settings or another planner get one, a few at a time; a message that somebody purged is sent again; a worker is
--   woken for due messages that no partition knows, which the tick does not see;
--   staged objects to which no PUT can arrive any more are to be deleted; fan-outs whose runs have ended end;
--   old messages leave pgmq's archive.
-- Bounded, and never waits for a lock. Returns {sent, resent, stages_expired, fan_outs_closed, more}.
create or replace function public.sweep(p_limit integer default 500)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
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
end $$;
