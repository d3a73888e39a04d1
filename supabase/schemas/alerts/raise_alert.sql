-- An alert that is no dead letter's: sent as those are, one a class and moment. Of what begins and ends, open_incident tells.
create or replace function sediment.raise_alert(p_class text, p_summary text, p_details jsonb default '{}')
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.alerts (class, window_start, payload)
  values (p_class, clock_timestamp(),
    p_details || jsonb_build_object('class', p_class, 'summary', p_summary, 'at', clock_timestamp()))
  on conflict (class, window_start) do nothing;
end $$;
