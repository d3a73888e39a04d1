-- Settings that are changed from the console, dead letters that are closed by hand, lines of what there was, and turns for rewrites.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."dead_letters" DROP CONSTRAINT "dead_letters_resolution_check";

DROP FUNCTION "public"."list_partitions"(uuid, uuid, text, text, integer, text);

ALTER TABLE "public"."metric_samples" ADD COLUMN "row_count" bigint;

ALTER TABLE "public"."metric_samples" ADD COLUMN "file_count" bigint;

ALTER TABLE "public"."metric_samples" ADD COLUMN "stored_bytes" double precision;

ALTER TABLE "public"."rewrites" ADD COLUMN "looked_at" timestamp with time zone;

CREATE OR REPLACE FUNCTION public.change_settings(p_settings text, p_changes jsonb DEFAULT '{}'::jsonb, p_reset text[] DEFAULT '{}'::text[], p_dataset uuid DEFAULT NULL::uuid, p_table text DEFAULT NULL::text, p_of_user uuid DEFAULT NULL::uuid, p_by text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_reset constant text[] := coalesce(p_reset, '{}');
  v_columns jsonb;
  v_column jsonb;
  v_name text;
  v_names text[];
  v_where text;
  v_table text;
  v_constraint text;
  v_why text;
  v_expected text;
begin
  if p_settings is null or p_settings not in ('service_settings', 'table_settings', 'user_limits')
    or jsonb_typeof(p_changes) is distinct from 'object'
    or (p_settings = 'table_settings') <> (p_dataset is not null and p_table is not null)
    or (p_settings = 'user_limits') <> (p_of_user is not null)
  then
    perform sediment.fail('invalid_request', 400, 'it is not said which settings are to change',
      'service_settings; table_settings with dataset and table; user_limits with a user');
  end if;
  v_columns := sediment.settings_columns(format('public.%I', p_settings)::regclass);
  v_names := array(select jsonb_object_keys(p_changes) union select unnest(v_reset) order by 1);
  -- which value has no place in its column is told one by one; what they are together the update tells
  foreach v_name in array v_names loop
    v_column := (select c from jsonb_array_elements(v_columns) c where c ->> 'name' = v_name);
    if v_column is null then
      return sediment.refused_setting(v_name, format('%s has no setting of that name', p_settings), null);
    end if;
    continue when v_name = any (v_reset);
    begin
      execute format('select r.%I from jsonb_populate_record(null::public.%I, $1) r', v_name, p_settings)
      using jsonb_build_object(v_name, p_changes -> v_name);
    exception when data_exception then
      return sediment.refused_setting(v_name, sqlerrm, v_column ->> 'type');
    end;
  end loop;
  if p_settings = 'table_settings' then
    perform sediment.require_dataset(null, p_dataset);
    v_table := sediment.table_of(p_dataset, p_table);
  end if;
  v_where := case p_settings when 'service_settings' then 's.id'
    when 'table_settings' then 's.dataset_id = $2 and s."table" = $3' else 's.user_id = $4' end;

  perform set_config('sediment.changed_by', coalesce(p_by, ''), true);
  begin
    if p_settings = 'table_settings' then
      insert into public.table_settings (dataset_id, "table") values (p_dataset, v_table) on conflict do nothing;
    elsif p_settings = 'user_limits' then
      insert into public.user_limits (user_id) values (p_of_user) on conflict do nothing;
    end if;
    if cardinality(v_names) > 0 then
      execute format('update public.%I s set %s from jsonb_populate_record(null::public.%I, $1) r where %s', p_settings,
        (select string_agg(format(case when n = any (v_reset) then '%I = default' else '%1$I = r.%1$I' end, n), ', ')
          from unnest(v_names) n), p_settings, v_where)
      using p_changes, p_dataset, v_table, p_of_user;
    end if;
    if p_settings <> 'service_settings' then
      execute format('delete from public.%I s where %s and jsonb_strip_nulls(to_jsonb(s) - $1) = ''{}''', p_settings, v_where)
      using '{dataset_id,table,user_id,updated_at}'::text[], p_dataset, v_table, p_of_user;
    end if;
  exception
    when check_violation or not_null_violation then
      get stacked diagnostics v_constraint = constraint_name, v_name = column_name;
      -- a constraint of one column is called after it
      v_column := (select c from jsonb_array_elements(v_columns) c
        where c ->> 'name' = coalesce(nullif(v_name, ''), substring(v_constraint from length(p_settings) + 2
          for greatest(length(v_constraint) - length(p_settings) - length('__check'), 0))));
      return sediment.refused_setting(coalesce(v_column ->> 'name', v_names[1]),
        case when sqlstate = '23502' then 'there must be a value' else 'it is out of bounds' end, v_column ->> 'check');
    when sqlstate 'SD400' then
      get stacked diagnostics v_why = pg_exception_detail, v_expected = pg_exception_hint;
      -- its words name the column
      return sediment.refused_setting(coalesce((select n from unnest(v_names) n
        where position(split_part(n, '_', 1) in v_why) > 0 order by position(n in v_why) > 0 desc, n limit 1), v_names[1]),
        v_why, v_expected);
  end;
  return jsonb_build_object('changed', to_jsonb(v_names), 'refused', null);
end $function$;

revoke all on function "public"."change_settings"(text, jsonb, text[], uuid, text, uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.drop_dead_letters(p_user uuid, p_ids bigint[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_datasets constant uuid[] := sediment.datasets_of(p_user, 'writer');
  v_dropped bigint[];
  v_skipped jsonb;
begin
  if coalesce(cardinality(p_ids), 0) not between 1 and 1000 then
    perform sediment.fail('invalid_request', 400, 'no ids, or over 1000');
  end if;
  -- partitions first, as whoever else resolves letters has them
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select l.dataset_id, l."table", l.period_tag from public.dead_letters l where l.id = any (p_ids)
      and (p_user is null or l.dataset_id = any (v_datasets)))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;
  with gone as (
    update public.dead_letters l
    set resolved_at = clock_timestamp(), resolution = 'dropped'
    where l.id = any (p_ids) and l.resolved_at is null and (p_user is null or l.dataset_id = any (v_datasets))
    returning l.id
  )
  select coalesce(array_agg(g.id order by g.id), '{}') into strict v_dropped from gone g;
  v_skipped := (
    select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'reason', case
      when l.id is null or (p_user is not null and (l.dataset_id = any (v_datasets)) is not true) then 'not_found'
      else 'resolved' end) order by i.id), '[]')
    from unnest(p_ids) as i(id)
    left join public.dead_letters l on l.id = i.id
    where i.id <> all (v_dropped));
  perform sediment.spend_request(p_user);
  return jsonb_build_object('dropped', to_jsonb(v_dropped), 'skipped', v_skipped);
end $function$;

revoke all on function "public"."drop_dead_letters"(uuid, bigint[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.list_partitions(p_user uuid, p_dataset uuid DEFAULT NULL::uuid, p_table text DEFAULT NULL::text, p_state text DEFAULT NULL::text, p_limit integer DEFAULT 100, p_cursor text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text)
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
  v_datasets := sediment.listed_datasets(p_user, p_dataset);
  v_table := case when p_dataset is not null then sediment.table_of(p_dataset, p_table) end;

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
      || case when p_period_tag is null then '' else ' and p.period_tag = $6' end
      || case when p_state is null and v_cursor is not null then ' and (p."table", p.period_tag) > ($4 ->> 0, $4 ->> 1)'
        else '' end,
    case coalesce(p_state, '') when 'stuck' then 'p.debt_oldest, p.dataset_id, p."table", p.period_tag'
      when 'debt' then 'p.debt_oldest' when 'running' then 'p.lease_expires_at' else 'p."table", p.period_tag' end)
  into strict v_rows
  using v_datasets, v_now, v_table, v_cursor -> 'after', v_limit + 1, p_period_tag;
  if jsonb_array_length(v_rows) > v_limit then
    v_rows := v_rows - v_limit;
    v_next := jsonb_build_object('after', v_rows -> -1 -> 'after');
  end if;
  return jsonb_build_object('partitions', (
      select coalesce(jsonb_agg(r.value - 'after' order by r.n), '[]') from jsonb_array_elements(v_rows) with ordinality r(value, n)),
    'next_cursor', case when p_state is null and v_next is not null then sediment.encode_cursor(v_next) end);
end $function$;

revoke all on function "public"."list_partitions"(uuid, uuid, text, text, integer, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.list_quarantined(p_user uuid, p_dataset uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 200)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 200), 1), 1000);
  v_datasets constant uuid[] := sediment.listed_datasets(p_user, p_dataset);
  v_files jsonb;
begin
  execute format(
    'select coalesce(jsonb_agg(jsonb_build_object(''id'', q.id, ''dataset_id'', q.dataset_id, ''dataset_name'', d.name,
      ''table'', sediment.name_of(q.dataset_id, q."table"), ''period_tag'', q.period_tag, ''code'', q.quarantine_code,
      ''reason'', q.quarantine_reason, ''quarantined_at'', q.quarantined_at, ''bytes'', q.byte_length,
      ''rows'', q.row_count, ''uploaded_at'', q.uploaded_at, 
      ''upload_id'', (select f.upload_id from public.battle_files f where f.id = q.id)) order by q.quarantined_at desc, q.id), ''[]'')
    from (select * from public.quarantined_files y where %s order by y.quarantined_at desc limit $2) q
    -- one by one: a join would read all datasets where these are few
    cross join lateral (select z.name from public.datasets z where z.id = q.dataset_id offset 0) d',
    case when v_datasets is null then 'true' else 'y.dataset_id = any ($1)' end)
  into strict v_files using v_datasets, v_limit;
  return jsonb_build_object('files', v_files);
end $function$;

CREATE OR REPLACE FUNCTION public.list_runs(p_user uuid, p_dataset uuid DEFAULT NULL::uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_failed boolean DEFAULT false, p_limit integer DEFAULT 100, p_before timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_datasets constant uuid[] := sediment.listed_datasets(p_user, p_dataset);
  v_runs jsonb;
begin
  execute format(
    'select coalesce(jsonb_agg(to_jsonb(x) order by x.queued_at desc), ''[]'') from (
      select r.id, r.dataset_id, d.name as dataset_name, sediment.name_of(r.dataset_id, r."table") as "table", r.period_tag,
        r.operation, r.trigger, r.priority, r.status, r.step, r.attempts, r.error_code, r.files_before, r.files_after,
        r.rows_after, r.bytes_before, r.bytes_after, r.queued_at, r.started_at, r.completed_at
      from (select * from public.processing_metrics y where %s %s order by y.queued_at desc limit %s) r
      -- one by one: a join would read all datasets where these are few
      cross join lateral (select z.name from public.datasets z where z.id = r.dataset_id offset 0) d
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
    'samples', case when p_user is not null then sediment.dataset_samples(v_datasets, p_seconds) else (
      select coalesce(jsonb_agg(to_jsonb(s) order by s.at), '[]') from public.metric_samples s
      where s.at >= v_now - make_interval(secs => p_seconds)
        -- of more than two days the first of each hour, or a month of them would be minutes
        and (p_seconds <= 172800 or not exists (select 1 from public.metric_samples e
          where e.at < s.at and e.at >= date_trunc('hour', s.at)))) end)
    || v_counts;
end $function$;

CREATE OR REPLACE FUNCTION public.read_settings()
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_row constant jsonb := (select to_jsonb(s) from public.service_settings s);
begin
  return jsonb_build_object(
    'settings', (
      select jsonb_agg(x.c || jsonb_build_object('value', sediment.shown_setting(x.c ->> 'name', v_row -> (x.c ->> 'name')))
        order by x.n)
      from jsonb_array_elements(sediment.settings_columns('public.service_settings')) with ordinality x (c, n)),
    'table_columns', sediment.settings_columns('public.table_settings'),
    'user_columns', sediment.settings_columns('public.user_limits'),
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

CREATE OR REPLACE FUNCTION public.schema_version()
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select to_jsonb(5)
$function$;

CREATE OR REPLACE FUNCTION sediment.advance_rewrites()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  v_ahead constant integer := 100;
  v_looked constant integer := 5000;
  v_turns constant integer := 20;
  v_turn integer := 0;
  v_picked jsonb;
  v_share bigint;
  v_left bigint := (select s.rewrite_bytes_per_hour / 60 from public.service_settings s);
  v_marked bigint := 0;
  v_bytes bigint := 0;
  v_ended integer := 0;
  v_room bigint;
  v_page record;
  v_now timestamptz;
  v_settings jsonb;
  v_grown bigint;
  v_waits timestamptz;
  x public.rewrites;
begin
  v_picked := (
    select jsonb_agg(jsonb_build_object('dataset', p.dataset_id, 'table', p."table") order by p.n) from (
      select o.dataset_id, o."table", row_number() over (order by o.of_dataset, o.looked_at nulls first, o.asked_at) as n
      from (select r.dataset_id, r."table", r.looked_at, r.asked_at, row_number() over (
          partition by r.dataset_id order by r.looked_at nulls first, r.asked_at) as of_dataset
        from public.rewrites r where r.ended_at is null) o
      order by n limit v_turns) p);
  for x in
    select r.* from jsonb_array_elements(v_picked) with ordinality as p(picked, n)
    join public.rewrites r on r.dataset_id = (p.picked ->> 'dataset')::uuid and r."table" = p.picked ->> 'table'
    where r.ended_at is null order by p.n
    for update of r skip locked
  loop
    exit when v_left <= 0 and v_marked > 0;
    v_now := clock_timestamp();
    v_share := greatest(v_left / (jsonb_array_length(v_picked) - v_turn), 1);
    v_turn := v_turn + 1;
    update public.rewrites r set looked_at = v_now where r.dataset_id = x.dataset_id and r."table" = x."table";
    if x.made_before is null then
      continue when exists (select 1 from public.partitions p
        where p.lease_expires_at > v_now and p.dataset_id = x.dataset_id and p."table" = x."table"
          and p.claimed_at <= x.asked_at);
      x.made_before := v_now;
    end if;
    v_room := v_ahead - sediment.files_to_rewrite(x, true, v_ahead);
    continue when v_room <= 0;

    v_settings := sediment.settings_of(x.dataset_id, x."table");
    v_grown := ceil(0.75 * (v_settings ->> 'target_file_bytes')::bigint);
    v_waits := v_now - make_interval(secs => (v_settings ->> 'max_age_seconds')::integer);
    with looked as (
      select f.id, f.period_tag, f.seq_min, f.byte_length,
        f.state = 'active' and f.rewrite is null and f.uploaded_at < x.made_before
          and (f.level > 0 or f.byte_length >= v_grown or f.uploaded_at < v_waits) as older
      from public.battle_files f
      where f.dataset_id = x.dataset_id and f."table" = x."table" and f.removed_version is null
        and (f.period_tag, f.seq_min) > (x.after_period_tag, x.after_seq)
        and (x.period_tag is null or f.period_tag = x.period_tag)
      order by f.period_tag, f.seq_min limit v_looked
    ), older as (
      select l.*, row_number() over w as n, sum(l.byte_length) over w - l.byte_length as before
      from looked l where l.older
      window w as (order by l.period_tag, l.seq_min)
    ), taken as (
      select o.* from older o where o.n <= v_room and (o.before < v_share or o.n = 1 and v_marked = 0)
    ), reached as (
      -- the walk goes on behind what was taken, or behind all that was looked at where all of that was
      select r.period_tag, r.seq_min from (
        select t.period_tag, t.seq_min from taken t where (select count(*) from taken) < (select count(*) from older)
        union all
        select l.period_tag, l.seq_min from looked l where (select count(*) from taken) = (select count(*) from older)
      ) r order by r.period_tag desc, r.seq_min desc limit 1
    )
    select coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'anew', true,
        'reason', 'the table''s settings may have changed since') order by t.n) from taken t), '[]') as files,
      (select coalesce(sum(t.byte_length), 0) from taken t) as bytes,
      (select count(*) from looked) < v_looked and (select count(*) from taken) = (select count(*) from older) as whole,
      r.period_tag, r.seq_min
    into strict v_page
    from (values (true)) one (row) left join reached r on true;

    perform public.mark_for_rewrite(v_page.files);
    v_left := v_left - v_page.bytes;
    v_bytes := v_bytes + v_page.bytes;
    v_marked := v_marked + jsonb_array_length(v_page.files);
    v_ended := v_ended + v_page.whole::integer;
    update public.rewrites r
    set made_before = x.made_before, files = r.files + jsonb_array_length(v_page.files), bytes = r.bytes + v_page.bytes,
      after_period_tag = coalesce(v_page.period_tag, r.after_period_tag),
      after_seq = coalesce(v_page.seq_min, r.after_seq), ended_at = case when v_page.whole then clock_timestamp() end
    where r.dataset_id = x.dataset_id and r."table" = x."table";
  end loop;
  return jsonb_build_object('marked', v_marked, 'bytes', v_bytes, 'ended', v_ended);
end $function$;

CREATE OR REPLACE FUNCTION sediment.dataset_samples(p_datasets uuid[], p_seconds integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_most constant integer := 10000;
  v_step constant interval := make_interval(secs => greatest(p_seconds / 60, 15));
  v_end constant timestamptz := clock_timestamp();
  v_begin timestamptz := v_end - make_interval(secs => p_seconds);
  v_ids uuid[];
  v_runs bigint;
  v_oldest timestamptz;
begin
  v_ids := array(select d.id from public.datasets d where d.id = any (p_datasets) and d.deleted_at is null
    order by d.updated_at desc limit 100);
  select count(*), min(r.queued_at) into strict v_runs, v_oldest from (
    select y.queued_at from public.processing_metrics y
    where y.dataset_id = any (v_ids) and y.queued_at >= v_begin order by y.queued_at desc limit v_most) r;
  if v_runs = v_most then
    v_begin := v_oldest;
  end if;
  -- before its oldest version nothing is known of a dataset that had others then
  select greatest(v_begin, max(o.committed_at)) into strict v_begin
  from unnest(v_ids) i
  cross join lateral (select v.version, v.committed_at from public.dataset_versions v where v.dataset_id = i
    order by v.version limit 1) o
  where o.version > 1;
  return (
    with times as (
      select t as at, row_number() over (order by t) as n from generate_series(v_end - v_step * floor(
        extract(epoch from v_end - v_begin) / extract(epoch from v_step)), v_end, v_step) t
    ), merges as (
      select width_bucket(r.completed_at, (select array_agg(t.at order by t.at) from times t)) + 1 as n,
        count(*) as merges, sum(r.files_before) as files, sum(extract(epoch from r.completed_at - r.queued_at)) as lag
      from (select * from public.processing_metrics y where y.dataset_id = any (v_ids) and y.queued_at >= v_begin
        order by y.queued_at desc limit v_most) r
      where r.completed_at is not null and r.files_before > 0 and r.operation = 'compaction' group by 1
    )
    select coalesce(jsonb_agg(jsonb_build_object('at', t.at, 'uploads', null, 'upload_bytes', null,
      'merges', coalesce((select sum(m.merges) from merges m where m.n <= t.n), 0),
      'files_merged', coalesce((select sum(m.files) from merges m where m.n <= t.n), 0),
      'lag_seconds', coalesce((select sum(m.lag) from merges m where m.n <= t.n), 0),
      'debt_partitions', null, 'debt_oldest_seconds', null, 'dead_letters', null,
      'row_count', h.row_count, 'file_count', h.file_count, 'stored_bytes', h.stored_bytes) order by t.at), '[]')
    from times t
    cross join lateral (
      -- null where a version is of before these were kept
      select case when count(*) = count(v.row_count) then coalesce(sum(v.row_count), 0) end as row_count,
        case when count(*) = count(v.file_count) then coalesce(sum(v.file_count), 0) end as file_count,
        case when count(*) = count(v.file_size_bytes) then coalesce(sum(v.file_size_bytes), 0) end as stored_bytes
      from unnest(v_ids) i
      cross join lateral (select x.row_count, x.file_count, x.file_size_bytes from public.dataset_versions x
        where x.dataset_id = i and x.committed_at <= t.at order by x.committed_at desc limit 1) v) h);
end $function$;

revoke all on function "sediment"."dataset_samples"(uuid[], integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.listed_datasets(p_user uuid, p_dataset uuid)
 RETURNS uuid[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if p_dataset is not null then
    perform sediment.require_dataset(p_user, p_dataset);
    return array[p_dataset];
  end if;
  return case when p_user is not null then sediment.datasets_of(p_user, 'reader') end;
end $function$;

revoke all on function "sediment"."listed_datasets"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.log_settings()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_old constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) else '{}' end;
  v_new constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) else '{}' end;
  v_row constant jsonb := v_old || v_new;
begin
  insert into public.settings_history (settings, dataset_id, "table", user_id, column_name, old_value, new_value, role,
    subject)
  select tg_table_name, (v_row ->> 'dataset_id')::uuid, v_row ->> 'table', (v_row ->> 'user_id')::uuid, c.name,
    sediment.shown_setting(c.name, v_old -> c.name), sediment.shown_setting(c.name, v_new -> c.name),
    -- the caller's: that of the session, or what PostgREST has set for the request
    coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role', session_user),
    -- by the functions the name of their caller's key (change_settings)
    coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub',
      nullif(current_setting('sediment.changed_by', true), ''))
  from jsonb_object_keys(v_row) c (name)
  where c.name not in ('id', 'dataset_id', 'table', 'user_id', 'updated_at', 'planner_version', 'plan_changed_at',
      'signed_url_until')
    and coalesce(v_old -> c.name, 'null') is distinct from coalesce(v_new -> c.name, 'null')
    -- a row that is written with its defaults is no change
    and not (tg_op = 'INSERT' and tg_table_name = 'service_settings')
  order by c.name;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION sediment.refused_setting(p_field text, p_why text, p_expected text)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object('changed', '[]'::jsonb, 'refused',
    jsonb_build_object('field', p_field, 'why', p_why, 'expected', coalesce(p_expected, '')))
$function$;

revoke all on function "sediment"."refused_setting"(text, text, text) from public, anon, authenticated, service_role;

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
    debt_oldest_seconds, dead_letters, row_count, file_count, stored_bytes)
  select v_at, coalesce(sum(t.events) filter (where t.metric = 'uploads' and t.label = 'stored'), 0),
    coalesce(sum(t.amount) filter (where t.metric = 'uploads' and t.label = 'stored'), 0),
    coalesce(sum(t.events) filter (where t.metric = 'merge_lag_seconds'), 0),
    coalesce(sum(t.events) filter (where t.metric = 'merged_files' and t.label = 'input'), 0),
    coalesce(sum(t.amount) filter (where t.metric = 'merge_lag_seconds'), 0),
    (select count(*) from (select 1 from public.partitions p where p.debt_oldest is not null limit 10000) x),
    (select coalesce(greatest(extract(epoch from v_now - min(p.debt_oldest)), 0), 0) from public.partitions p
      where p.debt_oldest is not null),
    (select count(*) from (select 1 from public.dead_letters l where l.resolved_at is null limit 10000) x),
    d.row_count, d.file_count, d.stored_bytes
  from (
    select coalesce(sum(y.row_count), 0) as row_count, coalesce(sum(y.file_count), 0) as file_count,
      coalesce(sum(y.file_size_bytes), 0) as stored_bytes
    from public.datasets y where y.deleted_at is null) d
  left join public.metric_totals t on true
  group by d.row_count, d.file_count, d.stored_bytes
  on conflict (at) do update
  set uploads = excluded.uploads, upload_bytes = excluded.upload_bytes, merges = excluded.merges,
    files_merged = excluded.files_merged, lag_seconds = excluded.lag_seconds, debt_partitions = excluded.debt_partitions,
    debt_oldest_seconds = excluded.debt_oldest_seconds, dead_letters = excluded.dead_letters,
    row_count = excluded.row_count, file_count = excluded.file_count, stored_bytes = excluded.stored_bytes;
  delete from public.metric_samples s
  where s.at < v_now - interval '31 days'
    or s.at < v_now - interval '25 hours' and exists (select 1 from public.metric_samples e
      where e.at < s.at and e.at >= date_trunc('hour', s.at));
  return v_at;
end $function$;

CREATE OR REPLACE FUNCTION sediment.settings_columns(p_settings regclass)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select jsonb_agg(jsonb_build_object('name', a.attname, 'says', btrim(substring(c.says from '^(.*?)\s*Unit:')),
      'unit', substring(c.says from 'Unit:\s*(.*?)\.?\s*Default:'),
      'default', substring(c.says from 'Default:\s*(.*?)\.?\s*$'),
      'type', pg_catalog.format_type(a.atttypid, null), 'required', a.attnotnull, 'check', k.said) order by a.attname)
    from pg_catalog.pg_attribute a
    cross join lateral (select pg_catalog.col_description(a.attrelid, a.attnum) as says) c
    left join lateral (
      select string_agg(regexp_replace(pg_catalog.pg_get_constraintdef(x.oid, true), '^CHECK \((.*)\)$', '\1'), ' and ') as said
      from pg_catalog.pg_constraint x
      where x.conrelid = a.attrelid and x.contype = 'c' and a.attnum = any (x.conkey)) k on true
    where a.attrelid = p_settings and a.attnum > 0 and not a.attisdropped
      and a.attname <> all ('{id,dataset_id,table,user_id,planner_version,plan_changed_at,signed_url_until,updated_at}'::name[]));
end $function$;

revoke all on function "sediment"."settings_columns"(regclass) from public, anon, authenticated, service_role;

ALTER TABLE "public"."dead_letters" ADD CONSTRAINT "dead_letters_resolution_check" CHECK ((resolution = ANY (ARRAY['redriven'::text, 'succeeded'::text, 'deleted'::text, 'dropped'::text])));

REVOKE ALL ON FUNCTION "public"."change_settings"(text, jsonb, text[], uuid, text, uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."change_settings"(text, jsonb, text[], uuid, text, uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."drop_dead_letters"(uuid, bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."drop_dead_letters"(uuid, bigint[]) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_partitions"(uuid, uuid, text, text, integer, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_partitions"(uuid, uuid, text, text, integer, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."dataset_samples"(uuid[], integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."dataset_samples"(uuid[], integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."listed_datasets"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."listed_datasets"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."refused_setting"(text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refused_setting"(text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."settings_columns"(regclass) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."settings_columns"(regclass) TO "service_role";
