-- How long the URLs that are out may live yet: as long as new ones, or as long as those from before the setting was lowered.
create or replace function sediment.signed_url_life()
returns interval
language sql
stable
set search_path = ''
as $$
  select greatest(make_interval(secs => s.signed_url_seconds), s.signed_url_until - clock_timestamp())
  from public.service_settings s
$$;
