-- URLs that were signed before their life was shortened keep the one that they were given.
create or replace function sediment.note_signed_urls()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.signed_url_until := greatest(old.signed_url_until,
    clock_timestamp() + make_interval(secs => old.signed_url_seconds));
  return new;
end $$;

drop trigger if exists note_signed_urls on public.service_settings;
create trigger note_signed_urls before update of signed_url_seconds on public.service_settings
  for each row when (new.signed_url_seconds < old.signed_url_seconds)
  execute function sediment.note_signed_urls();
