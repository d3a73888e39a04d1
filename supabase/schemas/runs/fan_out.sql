-- One slice of a request for many partitions of a dataset: those in debt, and those that wait, after the run's cursor, in key
-- order.
-- The caller has locked the run's row and holds no partition. Returns the partitions asked; the run's cursor is
-- null when none is left.
create or replace function sediment.fan_out(p_run uuid, p_limit integer)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  r public.processing_metrics;
  v_key record;
  v_delay integer := 0;
  v_asked jsonb := '[]'::jsonb;
begin
  select * into strict r from public.processing_metrics x where x.id = p_run;
  if r.priority = 'realtime' then
    select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
  end if;

  for v_key in
    select x."table", x.period_tag, x.demand_seq from public.partitions x
    where x.dataset_id = r.dataset_id
      and (x."table", x.period_tag) > (r.fan_out_cursor ->> 'after_table', r.fan_out_cursor ->> 'after_period_tag')
      and (r.fan_out_cursor ->> 'table' is null or x."table" = r.fan_out_cursor ->> 'table')
      and (x.debt_oldest is not null or x.due_at is not null or x.msg_id is not null or x.next_run_id is not null)
    order by x."table", x.period_tag
    limit p_limit
    for no key update
  loop
    update public.partitions x
    set demand_seq = x.demand_seq + 1,
      forced_seq = case when r.fan_out_forced then x.demand_seq + 1 else x.forced_seq end
    where x.dataset_id = r.dataset_id and x."table" = v_key."table" and x.period_tag = v_key.period_tag;
    v_asked := v_asked || jsonb_build_object('table', v_key."table", 'period_tag', v_key.period_tag);
  end loop;

  -- the queue comes last: all locks are held by now
  select coalesce(jsonb_agg(a || jsonb_build_object('metricId', sediment.wake_partition(
    r.dataset_id, a ->> 'table', a ->> 'period_tag', r.priority, 'request', v_delay))), '[]')
  into v_asked from jsonb_array_elements(v_asked) a;
  insert into public.run_children (parent_id, child_id)
  select p_run, (a ->> 'metricId')::uuid from jsonb_array_elements(v_asked) a
  on conflict do nothing;

  update public.processing_metrics x
  set status = 'running', started_at = coalesce(x.started_at, clock_timestamp()),
    fan_out_cursor = case when jsonb_array_length(v_asked) = p_limit then x.fan_out_cursor
      || jsonb_build_object('after_table', v_asked -> -1 -> 'table', 'after_period_tag', v_asked -> -1 -> 'period_tag')
    end
  where x.id = p_run;
  return v_asked;
end $$;
