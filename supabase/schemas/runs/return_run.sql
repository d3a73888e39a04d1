-- Gives an attempt back that failed for no fault of the work: what it stands on failed, or its turn was stopped. It is
-- no attempt, its time is no work, and it is never dead-lettered, however long that lasts. The wait grows to
-- backoff_cap_seconds and is half by chance, so that what waited together does not come back together. Where the store was
-- read in vain again, while others read it, its check looks at what the run had read (sediment.suspect_inputs). The caller
-- holds the partition's lock, and the partition its lease. Returns {status: 'retry', retry_at, dead_letter_id: null}.
create or replace function sediment.return_run(
  p public.partitions, p_code text, p_message text, p_step text, p_part text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  r public.processing_metrics;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retry_at timestamptz;
begin
  select * into strict s from public.service_settings;
  update public.processing_metrics x
  set status = 'queued', attempts = greatest(x.attempts - 1, 0), given_back = x.given_back + 1, error_code = p_code,
    error_message = left(p_message, 2000), error_step = p_step, last_failed_at = v_now,
    first_failed_at = coalesce(x.first_failed_at, v_now)
  where x.id = p.run_id
  returning * into strict r;
  v_retry_at := v_now + make_interval(secs => greatest(1, (0.5 + random() / 2) * least(
    s.backoff_cap_seconds, s.backoff_base_seconds * power(2, least(r.given_back, 20) - 1))));
  perform sediment.requeue_run(p, v_retry_at);
  if p_part = 'store_read' and r.given_back > 1 then
    perform sediment.suspect_inputs(p);
  end if;
  if p_part is not null then
    perform sediment.trip_breaker(format('%s/%s/%s', p.dataset_id, p."table", p.period_tag), p_part, p_code, p_message);
  end if;
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $$;
