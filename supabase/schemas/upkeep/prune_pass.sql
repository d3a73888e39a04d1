-- One pass of prune_history, which says what goes: at most p_limit of each kind. Returns as that does.
create or replace function sediment.prune_pass(p_limit integer)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_before timestamptz;
  v_runs uuid[];
  v_commits integer;
  v_letters integer;
  v_alerts integer;
  v_objects integer;
  v_idle integer;
begin
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  select clock_timestamp() - make_interval(secs => s.history_seconds) into strict v_before
  from public.service_settings s;

  select coalesce(array_agg(x.id), '{}') into strict v_runs from (
    select r.id from public.processing_metrics r
    where r.queued_at < v_before and r.completed_at < v_before
      and (r.status not in ('dlq_failure', 'timeout') or not exists (
        select 1 from public.dead_letters l where l.dataset_id = r.dataset_id and l."table" = r."table"
          and l.period_tag = r.period_tag and l.resolved_at is null and l.run_id = r.id))
    order by r.queued_at limit p_limit for update of r skip locked
  ) x;
  v_idle := sediment.prune_idle_runs(p_limit);
  delete from public.run_children k where k.parent_id = any (v_runs);
  delete from public.run_children k where k.child_id = any (v_runs);
  delete from public.run_commits c where c.run_id = any (v_runs);
  get diagnostics v_commits = row_count;
  delete from public.processing_metrics r where r.id = any (v_runs);

  delete from public.alerts a where a.id = any (array(
    select x.id from public.alerts x where x.created_at < v_before and x.state <> 'pending'
    order by x.created_at limit p_limit for update skip locked));
  get diagnostics v_alerts = row_count;
  delete from public.dead_letters l where l.id = any (array(
    select x.id from public.dead_letters x
    where x.created_at < v_before and (x.resolved_at < v_before or x."table" is null)
      and not exists (select 1 from public.alerts a where a.dead_letter_id = x.id)
      and not exists (select 1 from public.processing_metrics r where r.id = x.run_id)
    order by x.created_at limit p_limit for update skip locked));
  get diagnostics v_letters = row_count;

  delete from public.objects o where o.object_key = any (array(
    select x.object_key from public.objects x
    where x.state = 'tombstone' and x.delete_after is null and x.updated_at < v_before
    order by x.updated_at limit p_limit for update skip locked));
  get diagnostics v_objects = row_count;

  delete from public.pings p where p.id = any (array(
    select x.id from public.pings x where x.sent_at < clock_timestamp() - interval '1 day'
    order by x.sent_at limit p_limit for update skip locked));

  return jsonb_build_object('runs', cardinality(v_runs), 'commits', v_commits, 'dead_letters', v_letters,
    'alerts', v_alerts, 'objects', v_objects,
    'more', greatest(cardinality(v_runs), v_letters, v_alerts, v_objects, v_idle) = p_limit);
end $$;
