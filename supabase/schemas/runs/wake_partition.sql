-- Gives a partition its live message, or joins the one that it has: a partition has at most one. Returns the
-- run that will see everything that was committed before this call. The caller holds the partition's lock (and
-- has taken the dataset's, if it needs it: the queue comes last).
--   no message      → a run, under the id that was kept for it, and its message, after the delay (bursts coalesce behind it)
--   leased          → the running worker may have read its files already: the demand waits under next_run_id
--   waiting         → join; a higher priority moves the message, an earlier readiness brings it forward
-- The run of an upload gets its row with the claim.
create or replace function sediment.wake_partition(
  p_dataset uuid, p_table text, p_period_tag text, p_priority text, p_trigger text, p_delay_seconds integer
)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_run uuid;
  v_ready timestamptz := clock_timestamp() + make_interval(secs => p_delay_seconds);
  v_raise boolean;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  if p.msg_id is null then
    v_run := coalesce(p.next_run_id, gen_random_uuid());
    if p_trigger <> 'upload' then
      perform sediment.open_run(v_run, p_dataset, p_table, p_period_tag, p_priority, p_trigger);
    end if;
    update public.partitions x
    set run_id = v_run, next_run_id = null, queue = p_priority, ready_at = v_ready, due_at = null, dead_since = null,
      debt_oldest = case when x.debt_files > 0 then coalesce(x.debt_oldest,
        (select min(o.at) from unnest(x.tier_oldest) as o(at)), clock_timestamp()) end,
      msg_id = sediment.queue_send(p_priority, v_run, p_dataset, p_table, p_period_tag, p_delay_seconds)
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
    return v_run;
  end if;

  if p.lease_expires_at is not null then
    v_run := coalesce(p.next_run_id, gen_random_uuid());
    perform sediment.open_run(v_run, p_dataset, p_table, p_period_tag, p_priority, p_trigger);
    update public.processing_metrics r set priority = p_priority
    where r.id = v_run and sediment.priority_rank(r.priority) < sediment.priority_rank(p_priority);
    if p.next_run_id is null then
      update public.partitions x set next_run_id = v_run
      where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
    end if;
    return v_run;
  end if;
  if p_trigger <> 'upload' then
    -- whoever asks refers to the run
    perform sediment.open_run(p.run_id, p_dataset, p_table, p_period_tag, p.queue, 'upload');
  end if;

  -- A run that waits for its retry keeps its back-off, except for a person who asks by hand.
  if v_ready < p.ready_at and p_priority <> 'manual'
    and exists (select 1 from public.processing_metrics r where r.id = p.run_id and r.error_code is not null)
  then
    v_ready := p.ready_at;
  end if;
  v_ready := least(v_ready, p.ready_at);
  v_raise := sediment.priority_rank(p_priority) > sediment.priority_rank(p.queue);

  if v_raise then
    perform sediment.queue_archive(p.queue, p.msg_id);
    update public.processing_metrics r set priority = p_priority where r.id = p.run_id;
    update public.partitions x
    set queue = p_priority, ready_at = v_ready,
      msg_id = sediment.queue_send(p_priority, p.run_id, p_dataset, p_table, p_period_tag,
        ceil(greatest(0, extract(epoch from v_ready - clock_timestamp())))::integer)
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  elsif v_ready < p.ready_at then
    perform sediment.queue_set_visibility(p.queue, p.msg_id, v_ready);
    update public.partitions x set ready_at = v_ready
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  end if;
  return p.run_id;
end $$;
