-- The heartbeat of the minutely jobs. A job that finds the last beat too old notes that a gap ends now, and raises an alert:
-- while the gap lasted the catalog could not be written, so nobody could tell.
create or replace function sediment.beat_clockwork()
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_last timestamptz;
  v_gap boolean;
begin
  select c.beat_at, c.beat_at < v_now - make_interval(secs => s.clockwork_gap_seconds) into v_last, v_gap
  from public.clockwork c, public.service_settings s for no key update of c skip locked;
  if not found then
    return;
  end if;
  update public.clockwork c
  set beat_at = v_now, gap_ended_at = case when v_gap then v_now else c.gap_ended_at end
  where c.id;
  if v_gap and v_last > '-infinity' then
    perform sediment.raise_alert('clockwork_gap', format('Sediment''s jobs stood still for %s: the database did not answer, took no writes, or pg_cron was off',
      date_trunc('second', v_now - v_last)), jsonb_build_object('from', v_last, 'until', v_now));
  end if;
end $$;
