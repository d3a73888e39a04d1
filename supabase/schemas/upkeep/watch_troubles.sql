-- Makes incidents of what is no standstill and wants somebody all the same, each minute; and ends those that are none any
-- more. What is open has its latest words, and tells nobody again.
--   quarantine: files were set aside within alert_window_seconds
--   lag_over: a message is due for over lag_alert_seconds and no worker has it, while work goes on
--   deletions_overdue: what somebody deleted is not taken out after an hour, or its objects are there a day after their time
--   lake_late: what was committed lag_alert_seconds ago is not in the lake yet
--   quota_near: users have stored over nine tenths of what they may. Looked at where p_quotas: every ten minutes
-- Returns {opened, closed: names}.
create or replace function sediment.watch_troubles(p_quotas boolean default null)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  -- the planner makes no index condition of the volatile clock_timestamp()
  v_now constant timestamptz := clock_timestamp();
  s public.service_settings;
  v_troubles jsonb := '{}'::jsonb;
  v_opened text[] := '{}'::text[];
  v_closed text[] := '{}'::text[];
  v_count bigint;
  v_text text;
  v_since timestamptz;
  v_name text;
begin
  if current_setting('transaction_read_only') = 'on' then
    return jsonb_build_object('opened', v_opened, 'closed', v_closed);
  end if;
  select * into strict s from public.service_settings;

  select count(*), string_agg(distinct x.quarantine_code, ', ') into strict v_count, v_text
  from (select f.quarantine_code, f.quarantined_at from public.battle_files f
    where f.state = 'quarantined' and f.removed_version is null limit 10000) x
  where x.quarantined_at > v_now - make_interval(secs => s.alert_window_seconds);
  if v_count > 0 then
    v_troubles := v_troubles || jsonb_build_object('quarantine',
      format('Sediment set files aside that no merge could take: %s', v_text));
  end if;

  select min(p.ready_at) into strict v_since from public.partitions p
  where p.msg_id is not null and p.lease_expires_at is null
    and p.ready_at < v_now - make_interval(secs => s.lag_alert_seconds);
  if v_since is not null and (select b.state from public.circuit_breaker b) = 'closed' and s.max_workers > 0 then
    v_troubles := v_troubles || jsonb_build_object('lag_over',
      format('Sediment is behind: work that is due since %s has no worker', date_trunc('second', v_since)));
  end if;

  select min(d.requested_at) into strict v_since from public.deletions d
  where d.forgotten_at is null and d.state in ('pending', 'marked') and d.requested_at < v_now - interval '1 hour';
  if v_since is null then
    select min(o.delete_after) into strict v_since from public.objects o
    where o.state = 'deleting' and o.delete_after < v_now - interval '1 day';
  end if;
  if v_since is not null then
    v_troubles := v_troubles || jsonb_build_object('deletions_overdue',
      format('Sediment has not deleted what is to be gone since %s', date_trunc('second', v_since)));
  end if;

  select p.created_at into v_since from public.lake_pending p order by p.id limit 1;
  if v_since < v_now - make_interval(secs => s.lag_alert_seconds) then
    v_troubles := v_troubles || jsonb_build_object('lake_late',
      format('Sediment has not shown the lake what was committed since %s', date_trunc('second', v_since)));
  end if;

  if coalesce(p_quotas, extract(minute from v_now)::integer % 10 = 0) then
    select count(*), string_agg(x.user_id::text, ', ' order by x.user_id) filter (where x.n <= 3)
    into strict v_count, v_text
    from (
      select u.user_id, row_number() over (order by u.user_id) as n
      from (select y.user_id from public.user_usage y where y.minute_start > v_now - interval '1 day' limit 10000) u
      left join public.user_limits l on l.user_id = u.user_id
      where sediment.stored_bytes(u.user_id) > 0.9 * coalesce(l.stored_bytes_max, s.stored_bytes_max)
    ) x;
    if v_count > 0 then
      v_troubles := v_troubles || jsonb_build_object('quota_near',
        format('%s of Sediment''s users have stored over 90 %% of what they may: %s', v_count, v_text));
    end if;
  else
    v_troubles := v_troubles || coalesce((select jsonb_build_object(i.name, i.summary) from public.incidents i
      where i.name = 'quota_near' and i.state = 'open'), '{}');
  end if;

  for v_name, v_text in select t.key, t.value from jsonb_each_text(v_troubles) t order by t.key loop
    if sediment.open_incident(v_name, v_text) then
      v_opened := v_opened || v_name;
    end if;
  end loop;
  for v_name in
    select i.name from public.incidents i
    where i.state = 'open' and i.name in ('quarantine', 'lag_over', 'deletions_overdue', 'quota_near', 'lake_late')
      and not v_troubles ? i.name
    order by i.name
  loop
    perform sediment.close_incident(v_name);
    v_closed := v_closed || v_name;
  end loop;
  return jsonb_build_object('opened', v_opened, 'closed', v_closed);
end $$;
