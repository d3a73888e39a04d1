-- An alert that somebody asked for, to see whether alerts arrive. It is tried once. Returns its id.
create or replace function public.raise_test_alert()
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_id bigint;
begin
  insert into public.alerts (class, window_start, attempts, payload)
  values ('test', v_now, (select s.alert_max_attempts - 1 from public.service_settings s),
    jsonb_build_object('class', 'test', 'summary', 'Sediment can reach you: this alert was asked for', 'at', v_now))
  returning id into strict v_id;
  return to_jsonb(v_id);
end $$;
