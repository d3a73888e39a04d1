-- Looks at a dead partition again: its run goes back to the queue for one attempt, under the letter that it has, so
-- that a partition which stays dead makes no runs and raises no alerts. The caller holds the partition's lock.
create or replace function sediment.revive_run(p public.partitions)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_run uuid;
begin
  select r.id into v_run
  from public.dead_letters l join public.processing_metrics r on r.id = l.run_id
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null and r.completed_at is not null
  order by l.id desc limit 1;
  if not found then
    return sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
  end if;
  update public.processing_metrics r
  set status = 'queued', completed_at = null, priority = 'scheduled', worked_seconds = 0, given_back = 0,
    attempts = (select s.max_attempts - 1 from public.service_settings s)
  where r.id = v_run;
  perform sediment.activate_waiting_run(p.dataset_id, p."table", p.period_tag, v_run, 'scheduled');
  return v_run;
end $$;
