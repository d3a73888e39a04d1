-- Asks for compaction: of one partition (table and period_tag), or of all that are in debt in a dataset or in
-- one of its tables, the first 100 here and the rest by a message; asked again before that is through, by the same
-- run, and so within a day where nothing is in debt. A manual request forces: the planner goes below min_inputs. Joins
-- a live message; a higher priority moves it.
--   p_user: null for the service itself, else the owner or a writer
-- Returns {instanceId, dataset_id, partitions, requested: [{table, period_tag, metricId}], cursor}: instanceId
-- is the run to ask for; cursor is null when all partitions were asked.
-- Raises not_found, dataset_forbidden, rate_limited, invalid_request.
create or replace function public.request_compaction(
  p_user uuid, p_dataset uuid, p_table text default null, p_period_tag text default null,
  p_priority text default 'manual'
)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  d public.datasets;
  r public.processing_metrics;
  v_run uuid;
  v_delay integer := 0;
  v_requested jsonb;
  v_idle constant text := 'nothing is in debt';
  v_start constant jsonb := '{"after_table": "", "after_period_tag": ""}'::jsonb;
  v_joined boolean;
begin
  if sediment.priority_rank(p_priority) is null then
    perform sediment.fail('invalid_request', 400, format('the priority is %s', quote_nullable(left(p_priority, 40))),
      'manual, realtime or scheduled');
  end if;
  if p_table is null and p_period_tag is not null then
    perform sediment.fail('invalid_request', 400, 'a period_tag needs its table');
  end if;
  d := sediment.require_dataset(p_user, p_dataset, 'writer');
  perform sediment.refuse_request(p_user);
  p_table := sediment.table_of(d.id, p_table);

  if p_period_tag is not null then
    perform 1 from public.partitions x
    where x.dataset_id = d.id and x."table" = p_table and x.period_tag = p_period_tag for no key update;
    if not found then
      perform sediment.fail('not_found', 404,
        format('dataset %s has no partition %s/%s', d.id, p_table, p_period_tag));
    end if;
    if p_priority = 'realtime' then
      select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
    end if;
    update public.partitions x
    set demand_seq = x.demand_seq + 1,
      forced_seq = case when p_priority = 'manual' then x.demand_seq + 1 else x.forced_seq end
    where x.dataset_id = d.id and x."table" = p_table and x.period_tag = p_period_tag;
    v_run := sediment.wake_partition(d.id, p_table, p_period_tag, p_priority, 'request', v_delay);
    perform sediment.spend_request(p_user);
    return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id, 'partitions', 1, 'cursor', null,
      'requested', jsonb_build_array(
        jsonb_build_object('table', p_table, 'period_tag', p_period_tag, 'metricId', v_run)));
  end if;

  -- one that is not through yet begins anew: a dataset has one of a kind, however often it is asked for
  update public.processing_metrics x set fan_out_cursor = v_start || jsonb_build_object('table', p_table)
  where x.id = (
    select y.id from public.processing_metrics y
    where y.operation = 'fan_out' and y.completed_at is null and y.fan_out_cursor is not null and y.trigger = 'request'
      and y.dataset_id = d.id and y.priority = p_priority and y.fan_out_cursor ->> 'table' is not distinct from p_table
    order by y.queued_at limit 1 for no key update)
  returning x.id into v_run;
  v_joined := found;
  -- who asks in vain all the time leaves nothing behind
  if not v_joined and not exists (
    select 1 from public.partitions x
    where x.dataset_id = d.id and (p_table is null or x."table" = p_table)
      and (x.debt_oldest is not null or x.due_at is not null or x.msg_id is not null or x.next_run_id is not null))
  then
    select y.id into v_run from public.processing_metrics y
    where y.dataset_id = d.id and y.operation = 'fan_out' and y.trigger = 'request' and y.priority = p_priority
      and y.decision = v_idle and y.queued_at > clock_timestamp() - make_interval(secs => least(86400,
        (select s.history_seconds / 2 from public.service_settings s where s.id)))
    order by y.queued_at desc limit 1;
    if found then
      perform sediment.spend_request(p_user);
      return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id, 'partitions', 0, 'requested', '[]'::jsonb,
        'cursor', null);
    end if;
  end if;
  if not v_joined then
    insert into public.processing_metrics
      (user_id, dataset_id, operation, trigger, priority, fan_out_forced, fan_out_cursor)
    values (d.user_id, d.id, 'fan_out', 'request', p_priority, p_priority = 'manual',
      v_start || jsonb_build_object('table', p_table))
    returning id into strict v_run;
  end if;
  v_requested := sediment.fan_out(v_run, 100);
  select * into strict r from public.processing_metrics x where x.id = v_run;
  if r.fan_out_cursor is not null and not v_joined then
    perform sediment.queue_send(p_priority, v_run, d.id, null, null, 0);
  elsif v_requested = '[]' and not v_joined then
    update public.processing_metrics x
    set status = 'success', completed_at = clock_timestamp(), decision = v_idle
    where x.id = v_run;
  end if;
  perform sediment.spend_request(p_user, jsonb_array_length(v_requested));
  return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id,
    'partitions', jsonb_array_length(v_requested), 'requested', v_requested,
    'cursor', r.fan_out_cursor ->> 'after_table');
end $$;
