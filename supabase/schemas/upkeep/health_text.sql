-- What a reason of catalog_health says, for answers and alerts; more in docs/operations.md.
create or replace function sediment.health_text(p_reason text)
returns text
language sql
stable parallel safe
set search_path = ''
as $$
  select case p_reason
    when 'breaker_open' then 'store or catalog failed at two partitions: nothing is claimed until probes succeed'
    when 'work_waits' then 'a message is due for over 90 s and nobody has claimed anything since'
    when 'pings_refused' then 'the pings of the last five minutes were refused'
    when 'schema_outdated' then 'the schema is older than the functions: supabase db push'
    when 'jobs_missing' then 'pg_cron lacks a job of ours'
    when 'jobs_failing' then 'a job of pg_cron has failed three times in a row'
    when 'leases_overdue' then 'a lease that ended was not taken back: the minutely jobs do not run'
    when 'debt_overdue' then 'debt is due and has no message: the minutely jobs do not run'
    when 'read_only' then 'the database takes no writes'
  end
$$;
