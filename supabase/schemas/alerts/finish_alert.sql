-- Says how sending an alert went: sent, or to be tried again with growing delays until its attempts are used up.
-- p_taken: the webhooks that took it this time, whether or not all did.
-- Returns {state}. Raises not_found.
create or replace function public.finish_alert(
  p_alert bigint, p_sent boolean, p_error text default null, p_taken text[] default '{}'
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  s public.service_settings;
  v_state text;
begin
  select * into strict s from public.service_settings;
  update public.alerts a
  set state = case when p_sent then 'sent' when a.attempts >= s.alert_max_attempts then 'failed' else 'pending' end,
    sent_at = case when p_sent then clock_timestamp() end,
    taken = a.taken || coalesce(p_taken, '{}'),
    last_error = case when p_sent then null else left(p_error, 1000) end,
    next_attempt_at = clock_timestamp() + make_interval(secs => least(3600, 15 * power(2, least(a.attempts, 10)))
      * (0.5 + random() / 2))
  where a.id = p_alert and a.state = 'pending'
  returning a.state into v_state;
  if not found then
    select a.state into v_state from public.alerts a where a.id = p_alert;
    if not found then
      perform sediment.fail('not_found', 404, format('there is no alert %s', p_alert));
    end if;
  end if;
  return jsonb_build_object('state', v_state);
end $$;
