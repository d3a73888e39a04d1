-- Moves the end of a lease that the caller holds, and the message's vt with it; never past the run's
-- max_run_seconds: a worker that hangs must not keep a partition by renewing. Null: the default length.
create or replace function sediment.extend_lease(p public.partitions, p_seconds integer)
returns timestamptz
language plpgsql
set search_path = ''
as $$
declare
  v_settings public.service_settings;
  v_end timestamptz;
  v_until timestamptz;
begin
  select * into strict v_settings from public.service_settings;
  select p.claimed_at + make_interval(secs => v_settings.max_run_seconds - r.worked_seconds) into strict v_end
  from public.processing_metrics r where r.id = p.run_id;
  v_until := least(clock_timestamp() + make_interval(secs => coalesce(p_seconds, v_settings.lease_seconds)), v_end);
  if p_seconds is null then
    v_until := greatest(v_until, p.lease_expires_at);
  elsif v_until <= clock_timestamp() then
    perform sediment.fail('run_timeout', 504,
      format('the run was to end at %s', v_end),
      format('at most %s seconds of work', v_settings.max_run_seconds));
  end if;
  update public.partitions x set lease_expires_at = v_until, ready_at = v_until
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.queue_set_visibility(p.queue, p.msg_id, v_until);
  return v_until;
end $$;
