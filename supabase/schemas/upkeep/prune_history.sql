-- Forgets what is older than history_seconds and nobody asks for any more, a bounded part of each kind at a time:
-- ended runs with their commits and children, closed dead letters and those that nobody can redrive (messages that
-- could not be read), their alerts, and the keys of deleted objects to which no PUT can come. Kept for ever: the
-- ledger of uploads, so whoever sends an upload again gets the first answer still; its metricId is then a run that
-- is not found. A run that a dead letter still needs stays with it; one that
-- merged nothing goes after idle_history_seconds. Never waits for a lock.
--   p_seconds: goes on for so long while there is more: what is forgotten must not be less than what comes
-- Returns {runs, commits, dead_letters, alerts, objects, more}.
create or replace function public.prune_history(p_limit integer default 10000, p_seconds integer default 0)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 10000), 1), 50000);
  v_until constant timestamptz := clock_timestamp() + make_interval(secs => least(coalesce(p_seconds, 0), 50));
  v_sum jsonb := sediment.prune_pass(v_limit);
  v_pass jsonb;
begin
  while (v_sum ->> 'more')::boolean and clock_timestamp() < v_until loop
    v_pass := sediment.prune_pass(v_limit);
    select jsonb_object_agg(p.key, case when p.key = 'more' then p.value
      else to_jsonb(p.value::text::bigint + (v_sum ->> p.key)::bigint) end)
    into strict v_sum from jsonb_each(v_pass) p;
  end loop;
  return v_sum;
end $$;
