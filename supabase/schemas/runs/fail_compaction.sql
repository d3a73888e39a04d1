-- Ends an attempt that failed: back to the queue with exponential back-off and full jitter, or to the dead
-- letters when the attempts are used up or the error is permanent. The lease is freed either way.
--   p_class: environment gives the attempt back (sediment.return_run) and, with p_part, counts for the breaker; anything
--     else is the work's own failure. An output that the store refuses for its size (body_too_large) costs no attempt
--     either, as long as the next plan can cut it smaller (sediment.narrow_outputs)
--   p_part: store_read, store_write, catalog; null where nothing that others need has failed
-- Returns {status: 'retry'|'dead', retry_at|null, dead_letter_id|null}. Raises lease_lost, run_finished.
create or replace function public.fail_compaction(
  p_run uuid, p_token bigint, p_code text, p_message text, p_step text, p_permanent boolean,
  p_class text default null, p_part text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
begin
  p := sediment.lock_lease(p_run, p_token);
  if p_class = 'environment' then
    return sediment.return_run(p, coalesce(left(p_code, 100), 'internal'), p_message, p_step,
      case when p_part in ('store_read', 'store_write', 'catalog') then p_part end);
  end if;
  if p_code = 'body_too_large' and sediment.narrow_outputs(p) then
    return sediment.return_run(p, p_code, p_message, p_step, null);
  end if;
  return sediment.retry_run(p.dataset_id, p."table", p.period_tag, coalesce(left(p_code, 100), 'internal'),
    p_message, p_step, coalesce(p_permanent, false));
end $$;
