-- What the console asks: lists over all datasets or those of a user, the lines of its overview, the settings with what they mean.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE TABLE "public"."metric_samples" ("at" timestamp with time zone NOT NULL, "uploads" bigint NOT NULL, "upload_bytes" double precision NOT NULL, "merges" bigint NOT NULL, "files_merged" bigint NOT NULL, "lag_seconds" double precision NOT NULL, "debt_partitions" bigint NOT NULL, "debt_oldest_seconds" double precision NOT NULL, "dead_letters" bigint NOT NULL, CONSTRAINT "metric_samples_pkey" PRIMARY KEY (at));

revoke all on "public"."metric_samples" from public, anon, authenticated, service_role;

ALTER TABLE "public"."metric_samples" ENABLE ROW LEVEL SECURITY;

CREATE OR REPLACE FUNCTION public.list_datasets(p_user uuid, p_limit integer DEFAULT 100, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_cursor constant jsonb := sediment.decode_cursor(p_cursor);
  v_after uuid := '00000000-0000-0000-0000-000000000000'::uuid;
  v_ids uuid[];
  v_rows jsonb;
begin
  if v_cursor is not null then
    if coalesce(v_cursor ->> 'dataset', '') !~ '^[0-9a-f-]{36}$' then
      perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
    end if;
    v_after := (v_cursor ->> 'dataset')::uuid;
  end if;
  if p_user is null then
    v_ids := array(select d.id from public.datasets d where d.id > v_after and d.deleted_at is null
      order by d.id limit v_limit + 1);
  else
    v_ids := array(select d.id from public.datasets d
      where d.id = any (sediment.datasets_of(p_user, 'reader')) and d.id > v_after and d.deleted_at is null
      order by d.id limit v_limit + 1);
  end if;
  select coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'user_id', s.user_id, 'name', s.name, 'files', s.file_count,
    'rows', s.row_count, 'bytes', s.file_size_bytes, 'debt_files', s.debt_files, 'debt_bytes', s.debt_bytes,
    'debt_oldest', s.debt_oldest, 'running', s.compaction_in_progress, 'dead_partitions', s.dead_partitions,
    'left_alone_files', s.left_alone_files, 'last_compacted_at', s.last_compacted_at, 'updated_at', s.updated_at,
    'role', case when p_user is null then 'service' else sediment.dataset_role(p_user, s.id) end) order by s.id), '[]')
  into strict v_rows
  from public.dataset_status s where s.id = any (v_ids[1 : v_limit]);
  return jsonb_build_object('datasets', v_rows, 'next_cursor',
    case when cardinality(v_ids) > v_limit then sediment.encode_cursor(jsonb_build_object('dataset', v_ids[v_limit])) end);
end $function$;

revoke all on function "public"."list_datasets"(uuid, integer, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.list_partitions(p_user uuid, p_dataset uuid DEFAULT NULL::uuid, p_table text DEFAULT NULL::text, p_state text DEFAULT NULL::text, p_limit integer DEFAULT 100, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_cursor constant jsonb := sediment.decode_cursor(p_cursor);
  v_now constant timestamptz := clock_timestamp();
  v_datasets uuid[];
  v_table text;
  v_rows jsonb;
  v_next jsonb;
begin
  if p_dataset is null and p_state is null then
    perform sediment.fail('invalid_request', 400, 'without a dataset a state is to be said', 'stuck, debt or running');
  end if;
  if p_dataset is not null then
    perform sediment.require_dataset(p_user, p_dataset);
    v_datasets := array[p_dataset];
    v_table := sediment.table_of(p_dataset, p_table);
  elsif p_user is not null then
    v_datasets := sediment.datasets_of(p_user, 'reader');
  end if;

  -- one question each: a plan for all of them would read everybody's
  execute format(
    'select coalesce(jsonb_agg(sediment.partition_json(k.dataset_id, k."table", k.period_tag)
        || jsonb_build_object(''after'', jsonb_build_array(k."table", k.period_tag)) order by k.n), ''[]'')
    from (select p.dataset_id, p."table", p.period_tag, row_number() over (order by %3$s) as n
      from public.partitions p where %1$s %2$s order by %3$s limit $5) k',
    case coalesce(p_state, '')
      when 'stuck' then 'p.dead_since is not null'
      when 'debt' then 'p.debt_oldest is not null and p.dead_since is null'
      when 'running' then 'p.lease_expires_at is not null and p.lease_expires_at > $2'
      else 'true' end,
    case when v_datasets is null then '' when p_dataset is null then 'and p.dataset_id = any ($1)'
      else 'and p.dataset_id = ($1)[1]' end
      || case when v_table is null then '' else ' and p."table" = $3' end
      || case when p_state is null and v_cursor is not null then ' and (p."table", p.period_tag) > ($4 ->> 0, $4 ->> 1)'
        else '' end,
    case coalesce(p_state, '') when 'stuck' then 'p.debt_oldest, p.dataset_id, p."table", p.period_tag'
      when 'debt' then 'p.debt_oldest' when 'running' then 'p.lease_expires_at' else 'p."table", p.period_tag' end)
  into strict v_rows
  using v_datasets, v_now, v_table, v_cursor -> 'after', v_limit + 1;
  if jsonb_array_length(v_rows) > v_limit then
    v_rows := v_rows - v_limit;
    v_next := jsonb_build_object('after', v_rows -> -1 -> 'after');
  end if;
  return jsonb_build_object('partitions', (
      select coalesce(jsonb_agg(r.value - 'after' order by r.n), '[]') from jsonb_array_elements(v_rows) with ordinality r(value, n)),
    'next_cursor', case when p_state is null and v_next is not null then sediment.encode_cursor(v_next) end);
end $function$;

revoke all on function "public"."list_partitions"(uuid, uuid, text, text, integer, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.list_quarantined(p_user uuid, p_dataset uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 200)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 200), 1), 1000);
  v_datasets uuid[];
  v_files jsonb;
begin
  if p_dataset is not null then
    perform sediment.require_dataset(p_user, p_dataset);
    v_datasets := array[p_dataset];
  elsif p_user is not null then
    v_datasets := sediment.datasets_of(p_user, 'reader');
  end if;
  execute format(
    'select coalesce(jsonb_agg(jsonb_build_object(''id'', q.id, ''dataset_id'', q.dataset_id, ''dataset_name'', d.name,
      ''table'', sediment.name_of(q.dataset_id, q."table"), ''period_tag'', q.period_tag, ''code'', q.quarantine_code,
      ''reason'', q.quarantine_reason, ''quarantined_at'', q.quarantined_at, ''bytes'', q.byte_length,
      ''rows'', q.row_count, ''uploaded_at'', q.uploaded_at) order by q.quarantined_at desc, q.id), ''[]'')
    from (select * from public.quarantined_files y where %s order by y.quarantined_at desc limit $2) q
    join public.datasets d on d.id = q.dataset_id',
    case when v_datasets is null then 'true' else 'y.dataset_id = any ($1)' end)
  into strict v_files using v_datasets, v_limit;
  return jsonb_build_object('files', v_files);
end $function$;

revoke all on function "public"."list_quarantined"(uuid, uuid, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.list_runs(p_user uuid, p_dataset uuid DEFAULT NULL::uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_failed boolean DEFAULT false, p_limit integer DEFAULT 100, p_before timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_datasets uuid[];
  v_runs jsonb;
begin
  if p_dataset is not null then
    perform sediment.require_dataset(p_user, p_dataset);
    v_datasets := array[p_dataset];
  elsif p_user is not null then
    v_datasets := sediment.datasets_of(p_user, 'reader');
  end if;
  execute format(
    'select coalesce(jsonb_agg(to_jsonb(x) order by x.queued_at desc), ''[]'') from (
      select r.id, r.dataset_id, d.name as dataset_name, sediment.name_of(r.dataset_id, r."table") as "table", r.period_tag,
        r.operation, r.trigger, r.priority, r.status, r.step, r.attempts, r.error_code, r.files_before, r.files_after,
        r.rows_after, r.bytes_before, r.bytes_after, r.queued_at, r.started_at, r.completed_at
      from (select * from public.processing_metrics y where %s %s order by y.queued_at desc limit %s) r
      join public.datasets d on d.id = r.dataset_id
      where %s order by r.queued_at desc limit $4) x',
    case when v_datasets is null then 'true' when p_dataset is null then 'y.dataset_id = any ($1)'
      else 'y.dataset_id = ($1)[1]' end,
    case when p_before is null then '' else 'and y.queued_at < $5' end
      || case when p_table is null then '' else ' and y."table" = $2' end
      || case when p_period_tag is null then '' else ' and y.period_tag = $3' end,
    case when p_failed then 5000 else v_limit end,
    case when p_failed then 'r.status in (''failure'', ''dlq_failure'', ''timeout'')' else 'true' end)
  into strict v_runs
  using v_datasets, sediment.table_of(p_dataset, p_table), p_period_tag, v_limit, p_before;
  return jsonb_build_object('runs', v_runs,
    'next_before', case when jsonb_array_length(v_runs) = v_limit then v_runs -> -1 -> 'queued_at' end);
end $function$;

revoke all on function "public"."list_runs"(uuid, uuid, text, text, boolean, integer, timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.read_overview(p_user uuid, p_seconds integer DEFAULT 86400)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_top constant integer := 1000;
  v_datasets constant uuid[] := case when p_user is not null then sediment.datasets_of(p_user, 'reader') end;
  v_health constant jsonb := case when p_user is null then public.catalog_health() end;
  v_totals jsonb;
  v_debt jsonb;
  v_counts jsonb;
begin
  -- a user's and everybody's are two questions: one plan for both would read everybody's
  if p_user is null then
    select jsonb_build_object('datasets', count(*), 'files', coalesce(sum(d.file_count), 0),
      'rows', coalesce(sum(d.row_count), 0), 'bytes', coalesce(sum(d.file_size_bytes), 0))
    into strict v_totals from public.datasets d where d.deleted_at is null;
    select jsonb_build_object('partitions', count(*), 'files', coalesce(sum(x.debt_files), 0),
      'bytes', coalesce(sum(x.debt_bytes), 0), 'oldest', min(x.debt_oldest))
    into strict v_debt from (
      select p.debt_files, p.debt_bytes, p.debt_oldest from public.partitions p
      where p.debt_oldest is not null order by p.debt_oldest limit 10000) x;
    v_counts := jsonb_build_object(
      'running', (select count(*) from public.partitions p where p.lease_expires_at > v_now),
      'dead_partitions', (select count(*) from (
        select 1 from public.partitions p where p.dead_since is not null limit v_top) x),
      'dead_letters', (select count(*) from (
        select 1 from public.dead_letters l where l.resolved_at is null limit v_top) x),
      'quarantined_files', (select count(*) from (
        select 1 from public.battle_files f where f.state = 'quarantined' and f.removed_version is null limit v_top) x),
      'left_alone_files', (select coalesce(sum(x.left_alone_files), 0) from (
        select p.left_alone_files from public.partitions p where p.left_alone_files > 0 limit v_top) x));
  else
    select jsonb_build_object('datasets', count(*), 'files', coalesce(sum(d.file_count), 0),
      'rows', coalesce(sum(d.row_count), 0), 'bytes', coalesce(sum(d.file_size_bytes), 0))
    into strict v_totals from public.datasets d where d.id = any (v_datasets) and d.deleted_at is null;
    select jsonb_build_object('partitions', count(*), 'files', coalesce(sum(x.debt_files), 0),
      'bytes', coalesce(sum(x.debt_bytes), 0), 'oldest', min(x.debt_oldest))
    into strict v_debt from (
      select p.debt_files, p.debt_bytes, p.debt_oldest from public.partitions p
      where p.dataset_id = any (v_datasets) and p.debt_oldest is not null limit 10000) x;
    v_counts := jsonb_build_object(
      'running', (select count(*) from public.partitions p
        where p.dataset_id = any (v_datasets) and p.msg_id is not null and p.lease_expires_at > v_now),
      'dead_partitions', (select count(*) from (select 1 from public.partitions p
        where p.dataset_id = any (v_datasets) and p.dead_since is not null limit v_top) x),
      'dead_letters', (select count(*) from (select 1 from public.dead_letters l
        where l.dataset_id = any (v_datasets) and l.resolved_at is null limit v_top) x),
      'quarantined_files', (select count(*) from (select 1 from public.battle_files f
        where f.dataset_id = any (v_datasets) and f.state = 'quarantined' and f.removed_version is null limit v_top) x),
      'left_alone_files', (select coalesce(sum(x.left_alone_files), 0) from (select p.left_alone_files
        from public.partitions p where p.dataset_id = any (v_datasets) and p.left_alone_files > 0 limit v_top) x));
  end if;

  return jsonb_build_object('scope', case when p_user is null then 'deployment' else 'user' end,
    'totals', v_totals, 'debt', v_debt,
    'health', case when p_user is null then jsonb_build_object('ok', v_health -> 'ok', 'reasons', (
      select coalesce(jsonb_agg(jsonb_build_object('code', r, 'detail', v_health #>> array['details', r])), '[]')
      from jsonb_array_elements_text(v_health -> 'reasons') r)) end,
    'incidents', (select coalesce(jsonb_agg(jsonb_build_object('name', i.name, 'opened_at', i.opened_at,
      'summary', i.summary) order by i.opened_at), '[]')
      from public.incidents i where p_user is null and i.state = 'open'),
    'warnings', (select count(*) from (select 1 from public.setting_warnings w where p_user is null limit 100) x),
    'queues', (select coalesce(jsonb_agg(jsonb_build_object('queue', q.queue, 'messages', q.messages, 'due', q.due,
      'oldest_due_at', q.oldest_due_at)), '[]') from public.queue_status q where p_user is null),
    'workers', case when p_user is null then jsonb_build_object('busy', v_counts -> 'running',
      'max', (select s.max_workers from public.service_settings s)) end,
    'samples', (select coalesce(jsonb_agg(to_jsonb(s) order by s.at), '[]') from public.metric_samples s
      where p_user is null and s.at >= v_now - make_interval(secs => p_seconds)
        -- of more than two days, or a month of them would be minutes
        and (p_seconds <= 172800 or date_part('minute', s.at) = 0)))
    || v_counts;
end $function$;

revoke all on function "public"."read_overview"(uuid, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.read_settings()
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_row constant jsonb := (select to_jsonb(s) from public.service_settings s);
  v_kept constant text[] := '{id,planner_version,plan_changed_at,signed_url_until,updated_at}'::text[];
begin
  return jsonb_build_object(
    'settings', (
      select jsonb_agg(jsonb_build_object('name', a.attname, 'value', sediment.shown_setting(a.attname, v_row -> a.attname::text),
        'says', btrim(substring(c.says from '^(.*?)\s*Unit:')), 'unit', substring(c.says from 'Unit:\s*(.*?)\.?\s*Default:'),
        'default', substring(c.says from 'Default:\s*(.*?)\.?\s*$')) order by a.attname)
      from pg_catalog.pg_attribute a
      cross join lateral (select pg_catalog.col_description(a.attrelid, a.attnum) as says) c
      where a.attrelid = 'public.service_settings'::regclass and a.attnum > 0 and not a.attisdropped
        and a.attname <> all (v_kept)),
    'tables', (
      select coalesce(jsonb_agg(jsonb_build_object('dataset_id', t.dataset_id, 'table', t."table",
        'settings', jsonb_strip_nulls(to_jsonb(t) - array['dataset_id', 'table', 'updated_at']))), '[]')
      from (select * from public.table_settings x order by x.updated_at desc limit 200) t),
    'users', (
      select coalesce(jsonb_agg(jsonb_build_object('user_id', u.user_id,
        'settings', jsonb_strip_nulls(to_jsonb(u) - array['user_id', 'updated_at']))), '[]')
      from (select * from public.user_limits x order by x.updated_at desc limit 200) u),
    'warnings', (
      select coalesce(jsonb_agg(to_jsonb(w)), '[]') from (select * from public.setting_warnings x limit 100) w),
    'history', (
      select coalesce(jsonb_agg(to_jsonb(h) - 'id' order by h.changed_at desc), '[]')
      from (select * from public.settings_history x order by x.changed_at desc, x.id desc limit 100) h));
end $function$;

revoke all on function "public"."read_settings"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.run_timeline(p_user uuid, p_run uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_status constant jsonb := public.run_status(p_user, p_run);
begin
  return v_status || coalesce((
    select jsonb_build_object('worker', r.worker, 'steps_ms', r.steps_ms, 'worked_seconds', r.worked_seconds,
      'first_failed_at', r.first_failed_at, 'last_failed_at', r.last_failed_at, 'outputs', (
        select coalesce(jsonb_agg(jsonb_build_object('ordinal', c.ordinal, 'committed_at', c.committed_at,
          'file_id', c.file_id, 'rows', f.row_count, 'bytes', f.byte_length, 'row_groups', f.row_group_count,
          'level', f.level, 'inputs', f.input_count) order by c.ordinal), '[]')
        from (select * from public.run_commits y where y.run_id = r.id order by y.ordinal limit 200) c
        left join public.battle_files f on f.id = c.file_id))
    from public.processing_metrics r where r.id = p_run),
    '{"worker": null, "steps_ms": {}, "worked_seconds": 0, "first_failed_at": null, "last_failed_at": null, "outputs": []}');
end $function$;

revoke all on function "public"."run_timeline"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.partition_json(p_dataset uuid, p_table text, p_period_tag text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select jsonb_build_object('dataset_id', s.dataset_id, 'dataset_name', d.name,
      'table', sediment.name_of(s.dataset_id, s."table"), 'period_tag', s.period_tag, 'state', s.state,
      'debt_files', s.debt_files, 'debt_bytes', s.debt_bytes, 'debt_oldest', s.debt_oldest, 'next_due_at', s.next_due_at,
      'run_id', s.run_id, 'last_decision', s.last_decision, 'last_considered_at', s.last_considered_at,
      'dead_since', s.dead_since, 'left_alone_files', s.left_alone_files,
      'error', case when s.state = 'dead' then (
        select jsonb_build_object('letter_id', l.id, 'code', l.error_code, 'message', l.error_message,
          'step', l.error_step, 'attempts', l.attempts, 'failed_at', l.last_failed_at)
        from public.dead_letters l
        where l.dataset_id = s.dataset_id and l."table" = s."table" and l.period_tag = s.period_tag
          and l.resolved_at is null
        order by l.id desc limit 1) end)
    from public.partition_status s join public.datasets d on d.id = s.dataset_id
    where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag);
end $function$;

revoke all on function "sediment"."partition_json"(uuid, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.sample_metrics()
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_at constant timestamptz := date_trunc('minute', v_now);
begin
  insert into public.metric_samples as s (at, uploads, upload_bytes, merges, files_merged, lag_seconds, debt_partitions,
    debt_oldest_seconds, dead_letters)
  select v_at, coalesce(sum(t.events) filter (where t.metric = 'uploads' and t.label = 'stored'), 0),
    coalesce(sum(t.amount) filter (where t.metric = 'uploads' and t.label = 'stored'), 0),
    coalesce(sum(t.events) filter (where t.metric = 'merge_lag_seconds'), 0),
    coalesce(sum(t.events) filter (where t.metric = 'merged_files' and t.label = 'input'), 0),
    coalesce(sum(t.amount) filter (where t.metric = 'merge_lag_seconds'), 0),
    (select count(*) from (select 1 from public.partitions p where p.debt_oldest is not null limit 10000) x),
    (select coalesce(greatest(extract(epoch from v_now - min(p.debt_oldest)), 0), 0) from public.partitions p
      where p.debt_oldest is not null),
    (select count(*) from (select 1 from public.dead_letters l where l.resolved_at is null limit 10000) x)
  from public.metric_totals t
  on conflict (at) do update
  set uploads = excluded.uploads, upload_bytes = excluded.upload_bytes, merges = excluded.merges,
    files_merged = excluded.files_merged, lag_seconds = excluded.lag_seconds, debt_partitions = excluded.debt_partitions,
    debt_oldest_seconds = excluded.debt_oldest_seconds, dead_letters = excluded.dead_letters;
  delete from public.metric_samples s
  where s.at < v_now - interval '31 days'
    or s.at between v_now - interval '25 hours 10 minutes' and v_now - interval '25 hours' and date_part('minute', s.at) <> 0;
  return v_at;
end $function$;

revoke all on function "sediment"."sample_metrics"() from public, anon, authenticated, service_role;

CREATE POLICY "service_all" ON "public"."metric_samples" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

REVOKE ALL ON FUNCTION "public"."list_datasets"(uuid, integer, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_datasets"(uuid, integer, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_partitions"(uuid, uuid, text, text, integer, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_partitions"(uuid, uuid, text, text, integer, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_quarantined"(uuid, uuid, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_quarantined"(uuid, uuid, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_runs"(uuid, uuid, text, text, boolean, integer, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_runs"(uuid, uuid, text, text, boolean, integer, timestamp with time zone) TO "service_role";

REVOKE ALL ON FUNCTION "public"."read_overview"(uuid, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."read_overview"(uuid, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."read_settings"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."read_settings"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."run_timeline"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."run_timeline"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."partition_json"(uuid, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."partition_json"(uuid, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."sample_metrics"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."sample_metrics"() TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."metric_samples" TO "service_role";

select cron.schedule('sediment_metrics', '* * * * *', 'select sediment.fold_metrics(), sediment.sample_metrics()');
