-- Adds up what counters have counted. Alone, by a lock that nobody waits for. Returns how many rows were added.
create or replace function sediment.fold_metrics()
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_folded integer;
begin
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('sediment.fold_metrics', 0)) then
    return 0;
  end if;
  with gone as (
    delete from public.metric_deltas d where true returning d.metric, d.label, d.events, d.amount
  ), sums as (
    select g.metric, g.label, sum(g.events)::bigint as events, sum(g.amount) as amount, count(*)::integer as n
    from gone g group by g.metric, g.label
  ), added as (
    insert into public.metric_totals as t (metric, label, events, amount)
    select s.metric, s.label, s.events, s.amount from sums s
    on conflict (metric, label) do update set events = t.events + excluded.events, amount = t.amount + excluded.amount
    returning 1
  )
  select coalesce(sum(s.n), 0)::integer into strict v_folded from sums s;
  return v_folded;
end $$;
