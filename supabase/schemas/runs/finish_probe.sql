-- Tells how a probe went. Two that pass in a row close the breaker, so that an outage which comes and goes does not
-- open and close it each time; one that fails doubles the wait for the next, up to backoff_cap_seconds. What a probe
-- wrote is given up. Returns {state, probe_at|null}; a probe that somebody else took over changes nothing.
create or replace function public.finish_probe(
  p_token bigint, p_passed boolean, p_code text default null, p_message text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into strict b from public.circuit_breaker x for no key update;
  if b.state = 'open' and b.probe_token = p_token and b.probe_until is not null then
    select * into strict s from public.service_settings;
    if p_passed and b.probes_passed >= 1 then
      update public.circuit_breaker x
      set state = 'closed', closed_at = v_now, probe_at = null, probe_until = null, suspect = null,
        suspect_at = null, probes_passed = 0, probes_failed = 0
      where x.id
      returning * into strict b;
      perform sediment.close_incident('breaker', format('Sediment goes on: %s answers again after %s',
        b.part, date_trunc('second', v_now - b.opened_at)));
    else
      update public.circuit_breaker x
      set probe_until = null,
        probes_passed = case when p_passed then x.probes_passed + 1 else 0 end,
        probes_failed = case when p_passed then x.probes_failed else x.probes_failed + 1 end,
        error_code = case when p_passed then x.error_code else coalesce(left(p_code, 100), x.error_code) end,
        error_message = case when p_passed then x.error_message
          else coalesce(left(p_message, 2000), x.error_message) end,
        probe_at = v_now + make_interval(secs => case when p_passed then s.breaker_probe_seconds
          else least(s.backoff_cap_seconds, (0.75 + random() / 4) * s.breaker_probe_seconds
            * power(2, least(x.probes_failed, 10))) end)
      where x.id
      returning * into strict b;
    end if;
    if b.probe_key is not null then
      perform sediment.discard_object(b.probe_key, 'a probe');
    end if;
  end if;
  return jsonb_build_object('state', b.state, 'probe_at', b.probe_at);
end $$;
