-- Keeps what a step of a run found, so that a redelivery goes on from there, and shows where the run is. A null
-- result only names the step that has begun; p_progress null leaves the progress as it is. Returns {step}.
create or replace function public.record_step(
  p_run uuid, p_token bigint, p_step text, p_result jsonb default null, p_progress jsonb default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  if p_step is null or p_step !~ '^[a-z][a-z0-9-]{0,63}$' then
    perform sediment.fail('invalid_request', 400, format('the step is %s', quote_nullable(left(p_step, 80))));
  end if;
  perform sediment.lock_lease(p_run, p_token);
  update public.processing_metrics r
  set step = p_step, progress = coalesce(p_progress, r.progress),
    steps = case when p_result is null then r.steps else r.steps || jsonb_build_object(p_step, p_result) end
  where r.id = p_run;
  return jsonb_build_object('step', p_step);
end $$;
