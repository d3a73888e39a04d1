-- Hands out alerts that are due to be sent, for a while: who does not say how it went leaves them to the next. That
-- something is over is not told before that it began. p_alert: this one alone.
-- Returns {alerts: [{id, class, window_start, occurrences, payload, attempt, taken}], webhooks, private_addresses}.
create or replace function public.claim_alerts(
  p_limit integer default 5, p_lease_seconds integer default 60, p_alert bigint default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_alerts jsonb;
begin
  select * into strict s from public.service_settings;
  with due as (
    select a.id from public.alerts a
    where a.state = 'pending' and a.next_attempt_at <= v_now and (p_alert is null or a.id = p_alert)
      and not exists (select 1 from public.alerts b where a.payload ->> 'phase' = 'closed' and b.state = 'pending'
        and b.id < a.id and b.payload ->> 'incident' = a.payload ->> 'incident')
    order by a.next_attempt_at limit least(greatest(coalesce(p_limit, 5), 1), 100)
    for update skip locked
  ), taken as (
    update public.alerts a
    set attempts = a.attempts + 1,
      next_attempt_at = clock_timestamp() + make_interval(secs => greatest(p_lease_seconds, 1))
    from due d where a.id = d.id
    returning a.id, a.class, a.window_start, a.occurrences, a.payload, a.attempts as attempt, a.taken
  )
  select coalesce(jsonb_agg(to_jsonb(t) order by t.id), '[]') into strict v_alerts from taken t;
  return jsonb_build_object('alerts', v_alerts, 'webhooks', s.alert_webhooks,
    'private_addresses', s.alert_private_addresses);
end $$;
