-- A run that has not ended can't be deleted: its partition's message stands for it, and every claim that met the
-- message, and every expiry of leases, would fail. Who tidies up by hand is told so; ended runs may go.
create or replace function sediment.keep_live_run()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if old.completed_at is null then
    perform sediment.fail('invalid_request', 400, format('run %s has not ended', old.id), 'ended runs only');
  end if;
  return old;
end $$;

drop trigger if exists keep_live_run on public.processing_metrics;
create trigger keep_live_run before delete on public.processing_metrics
  for each row execute function sediment.keep_live_run();
