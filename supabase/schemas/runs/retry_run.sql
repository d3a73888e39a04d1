-- After a failed attempt of the live run: back to the queue with exponential back-off and full jitter, or to
-- the dead letters when the attempts are used up, the error is permanent, or the run has had its max_run_seconds
-- (whatever it committed meanwhile: what is claimed over and over must end). The caller holds the partition's
-- lock, and the partition its lease. Returns {status: 'retry'|'dead', retry_at, dead_letter_id}.
create or replace function sediment.retry_run(
  p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text, p_permanent boolean
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_run public.processing_metrics;
  v_settings public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retry_at timestamptz;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  select * into strict v_run from public.processing_metrics r where r.id = p.run_id;
  select * into strict v_settings from public.service_settings;

  v_run.worked_seconds := sediment.add_worked_seconds(p);
  if v_run.worked_seconds >= v_settings.max_run_seconds and not p_permanent
    and v_run.attempts < v_settings.max_attempts
  then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.dead_letter_run(p_dataset, p_table, p_period_tag, 'run_timeout',
        format('the run worked for %s of %s seconds; its last failure was %s: %s', round(v_run.worked_seconds::numeric),
          v_settings.max_run_seconds, p_code, p_message), p_step));
  end if;
  if p_permanent or v_run.attempts >= v_settings.max_attempts then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.dead_letter_run(p_dataset, p_table, p_period_tag, p_code, p_message, p_step));
  end if;

  -- Full jitter: anywhere between a second and the doubled base, so that what failed together does not come
  -- back together.
  v_retry_at := v_now + make_interval(secs => greatest(1, random() * least(
    v_settings.backoff_cap_seconds,
    v_settings.backoff_base_seconds * power(2, least(greatest(v_run.attempts, 1), 20) - 1))));

  update public.processing_metrics r
  set status = 'queued', error_code = p_code, error_message = left(p_message, 2000), error_step = p_step,
    first_failed_at = coalesce(r.first_failed_at, v_now), last_failed_at = v_now
  where r.id = p.run_id;
  perform sediment.requeue_run(p, v_retry_at);
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $$;
