-- Lets a run whose worker was lost go on with what its partition narrows down, at once: no attempt is spent. The caller holds the
-- partition's lock, and the partition a lease. Returns as retry_run does.
create or replace function sediment.narrow_again(p public.partitions, p_told text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_until constant timestamptz := clock_timestamp() + interval '1 second';
begin
  update public.processing_metrics r
  set status = 'queued', attempts = 0, error_code = 'lease_expired', error_message = left(p_told, 2000),
    first_failed_at = coalesce(r.first_failed_at, clock_timestamp()), last_failed_at = clock_timestamp()
  where r.id = p.run_id;
  perform sediment.requeue_run(p, v_until);
  return jsonb_build_object('status', 'retry', 'retry_at', v_until, 'dead_letter_id', null);
end $$;
