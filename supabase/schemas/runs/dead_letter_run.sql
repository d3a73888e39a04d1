-- Ends the live run of a partition in the dead letters: the row, the alert message, the run's status, the
-- message archived and the lease freed, together. The caller holds the partition's lock. Debt stays, and is looked at
-- again after idle_recheck_seconds, doubled with each look up to a day (sediment.revive_run): then the letter that is
-- open takes the new failure, without another alert.
create or replace function sediment.dead_letter_run(
  p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text
)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_letter bigint;
  v_now timestamptz := clock_timestamp();
  v_next text;
  v_known boolean;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  update public.dead_letters l
  set error_code = p_code, error_message = left(p_message, 2000), error_step = p_step, last_failed_at = v_now
  where l.run_id = p.run_id and l.resolved_at is null
  returning l.id into v_letter;
  v_known := found;
  if not v_known then
    insert into public.dead_letters (user_id, dataset_id, "table", period_tag, run_id, queue, error_code,
      error_message, error_step, attempts, message, first_failed_at, last_failed_at)
    select r.user_id, p_dataset, p_table, p_period_tag, r.id, p.queue, p_code, left(p_message, 2000), p_step,
      r.attempts, (select m.message from sediment.queue_messages m where m.queue = p.queue and m.msg_id = p.msg_id),
      coalesce(r.first_failed_at, v_now), v_now
    from public.processing_metrics r where r.id = p.run_id
    returning id into strict v_letter;
  end if;

  update public.processing_metrics r
  set status = case when p_code in ('run_timeout', 'lease_expired') then 'timeout' else 'dlq_failure' end,
    error_code = p_code, error_message = left(p_message, 2000), error_step = coalesce(p_step, r.step),
    first_failed_at = coalesce(r.first_failed_at, v_now), last_failed_at = v_now, completed_at = v_now
  where r.id = p.run_id;

  perform sediment.queue_archive(p.queue, p.msg_id);
  if not v_known then
    perform sent.id from pgmq.send('compaction_dlq'::text,
      jsonb_build_object('deadLetterId', v_letter, 'errorCode', p_code, 'datasetId', p_dataset)::jsonb, 0::integer)
      as sent(id);
  end if;

  update public.partitions x
  set queue = null, msg_id = null, run_id = null, ready_at = null, next_run_id = null,
    due_at = v_now + make_interval(secs => least(86400, (select s.idle_recheck_seconds
      * power(2, least(x.dead_looks, 20)) from public.service_settings s))),
    dead_looks = x.dead_looks + 1,
    token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null,
    last_decision = 'gave up: ' || p_code, dead_since = v_now, tier_files = null, tier_oldest = null
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  -- Demand that came while the run was at work gets attempts of its own.
  if p.next_run_id is not null then
    v_next := coalesce((select r.priority from public.processing_metrics r where r.id = p.next_run_id), 'realtime');
    perform sediment.activate_waiting_run(p_dataset, p_table, p_period_tag, p.next_run_id, v_next);
  end if;
  return v_letter;
end $$;
