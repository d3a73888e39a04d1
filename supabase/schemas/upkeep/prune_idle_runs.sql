-- Forgets runs that had nothing to merge, idle_history_seconds after they were queued, but for those that somebody asked for.
-- They lie among others, so only those of the last two hours before that are looked at; what is missed there, since the jobs
-- stood still or the run took longer, goes with history_seconds. Returns how many went, at most p_limit.
create or replace function sediment.prune_idle_runs(p_limit integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_before timestamptz;
  v_idle uuid[];
begin
  select clock_timestamp() - make_interval(secs => s.idle_history_seconds) into strict v_before
  from public.service_settings s;
  select coalesce(array_agg(x.id), '{}') into strict v_idle from (
    select r.id from public.processing_metrics r
    where r.queued_at >= v_before - interval '2 hours' and r.queued_at < v_before and r.completed_at < v_before
      and r.status = 'success' and r.operation = 'compaction' and r.files_before = 0 and r.files_quarantined = 0
      and r.trigger not in ('request', 'redrive')
      and not exists (select 1 from public.run_children k where k.child_id = r.id)
    order by r.queued_at limit p_limit for update of r skip locked
  ) x;
  delete from public.run_commits c where c.run_id = any (v_idle);
  delete from public.processing_metrics r where r.id = any (v_idle);
  return cardinality(v_idle);
end $$;
