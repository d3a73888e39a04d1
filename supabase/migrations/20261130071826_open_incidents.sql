-- Each reason of a failing health becomes an incident that alerts once when it begins and once when it ends; pings are kept
-- with where they went. Nothing is left to do for an operator.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "public"."claim_alerts"(integer, integer);

CREATE TABLE "public"."incidents" ("name" text NOT NULL, "state" text NOT NULL, "watched" boolean NOT NULL DEFAULT false, "opened_at" timestamp with time zone NOT NULL, "closed_at" timestamp with time zone, "summary" text NOT NULL, "details" jsonb NOT NULL DEFAULT '{}'::jsonb, "unseen" integer NOT NULL DEFAULT 0, CONSTRAINT "incidents_name_check" CHECK ((name ~ '^[a-z][a-z0-9_]{0,62}$'::text)), CONSTRAINT "incidents_pkey" PRIMARY KEY (name), CONSTRAINT "incidents_state_check" CHECK ((state = ANY (ARRAY['open'::text, 'closed'::text]))));

revoke all on "public"."incidents" from public, anon, authenticated, service_role;

ALTER TABLE "public"."incidents" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."pings" ("id" bigint NOT NULL, "path" text NOT NULL, "sent_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "pings_pkey" PRIMARY KEY (id));

revoke all on "public"."pings" from public, anon, authenticated, service_role;

ALTER TABLE "public"."pings" ENABLE ROW LEVEL SECURITY;

CREATE OR REPLACE FUNCTION public.catalog_health()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_queues jsonb := '{}';
  v_queue text;
  v_leases integer;
  v_debt integer;
  v_reasons text[] := '{}';
  v_breaker public.circuit_breaker;
begin
  foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
    v_queues := v_queues || jsonb_build_object(v_queue, jsonb_build_object(
      'due', (select count(*) from sediment.queue_ready(v_queue, 100)),
      'oldest_due_at', (select min(m.vt) from sediment.queue_messages m
        where m.queue = v_queue and m.vt <= v_now)));
  end loop;
  select count(*) into strict v_leases from (
    select 1 from public.partitions p where p.lease_expires_at < v_now - interval '2 minutes' limit 100) x;
  select count(*) into strict v_debt from (
    select 1 from public.partitions p
    where p.due_at < v_now - interval '5 minutes' and p.msg_id is null limit 100) x;
  select * into strict v_breaker from public.circuit_breaker;
  v_reasons := sediment.clockwork_faults() || array_remove(array[
    case when v_breaker.state = 'open' then 'breaker_open' end,
    case when current_setting('transaction_read_only') = 'on' or pg_catalog.pg_is_in_recovery() then 'read_only' end,
    case when v_leases > 0 then 'leases_overdue' end,
    case when v_debt > 0 then 'debt_overdue' end,
    case when v_breaker.state = 'closed' and (select s.max_workers from public.service_settings s) > 0
      and exists (select 1 from public.partitions p where p.msg_id is not null and p.lease_expires_at is null
        and p.ready_at < v_now - interval '90 seconds')
      and not exists (select 1 from public.partitions p where p.lease_expires_at is not null
        and p.claimed_at > v_now - interval '90 seconds') then 'work_waits' end], null);
  return jsonb_build_object('ok', cardinality(v_reasons) = 0, 'reasons', to_jsonb(v_reasons),
    'details', (select coalesce(jsonb_object_agg(r, sediment.health_text(r)), '{}') from unnest(v_reasons) r),
    'open_incidents', (select coalesce(jsonb_agg(i.name order by i.name), '[]') from public.incidents i
      where i.state = 'open'), 'breaker',
    case when v_breaker.state = 'open' then format('%s since %s: %s', v_breaker.part, v_breaker.opened_at,
      v_breaker.error_message) end, 'queues', v_queues,
    'leases', (select count(*) from public.partitions p where p.lease_expires_at > v_now),
    'overdue_leases', v_leases, 'overdue_debt', v_debt,
    'dead_letters', (select count(*) from (
      select 1 from public.dead_letters l where l.resolved_at is null limit 100) x),
    'oldest_debt', (select min(p.debt_oldest) from public.partitions p where p.debt_oldest is not null),
    'postgres', current_setting('server_version'),
    'pgmq', (select e.extversion from pg_catalog.pg_extension e where e.extname = 'pgmq'));
end $function$;

CREATE OR REPLACE FUNCTION public.claim_alerts(p_limit integer DEFAULT 5, p_lease_seconds integer DEFAULT 60, p_alert bigint DEFAULT NULL::bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_alerts jsonb;
begin
  select * into strict s from public.service_settings;
  with due as (
    select a.id from public.alerts a
    where a.state = 'pending' and a.next_attempt_at <= v_now and (p_alert is null or a.id = p_alert)
      and not exists (select 1 from public.alerts b where a.payload ->> 'phase' = 'closed' and b.state = 'pending'
        and b.id < a.id and b.payload ->> 'incident' = a.payload ->> 'incident')
    order by a.next_attempt_at limit least(greatest(coalesce(p_limit, 5), 1), 100)
    for update skip locked
  ), taken as (
    update public.alerts a
    set attempts = a.attempts + 1,
      next_attempt_at = clock_timestamp() + make_interval(secs => greatest(p_lease_seconds, 1))
    from due d where a.id = d.id
    returning a.id, a.class, a.window_start, a.occurrences, a.payload, a.attempts as attempt, a.taken
  )
  select coalesce(jsonb_agg(to_jsonb(t) order by t.id), '[]') into strict v_alerts from taken t;
  return jsonb_build_object('alerts', v_alerts, 'webhooks', s.alert_webhooks,
    'private_addresses', s.alert_private_addresses);
end $function$;

revoke all on function "public"."claim_alerts"(integer, integer, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.finish_probe(p_token bigint, p_passed boolean, p_code text DEFAULT NULL::text, p_message text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into strict b from public.circuit_breaker x for no key update;
  if b.state = 'open' and b.probe_token = p_token and b.probe_until is not null then
    select * into strict s from public.service_settings;
    if p_passed and b.probes_passed >= 1 then
      update public.circuit_breaker x
      set state = 'closed', closed_at = v_now, probe_at = null, probe_until = null, suspect = null,
        suspect_at = null, probes_passed = 0, probes_failed = 0
      where x.id
      returning * into strict b;
      perform sediment.close_incident('breaker', format('Sediment goes on: %s answers again after %s',
        b.part, date_trunc('second', v_now - b.opened_at)));
    else
      update public.circuit_breaker x
      set probe_until = null,
        probes_passed = case when p_passed then x.probes_passed + 1 else 0 end,
        probes_failed = case when p_passed then x.probes_failed else x.probes_failed + 1 end,
        error_code = case when p_passed then x.error_code else coalesce(left(p_code, 100), x.error_code) end,
        error_message = case when p_passed then x.error_message
          else coalesce(left(p_message, 2000), x.error_message) end,
        probe_at = v_now + make_interval(secs => case when p_passed then s.breaker_probe_seconds
          else least(s.backoff_cap_seconds, (0.75 + random() / 4) * s.breaker_probe_seconds
            * power(2, least(x.probes_failed, 10))) end)
      where x.id
      returning * into strict b;
    end if;
    if b.probe_key is not null then
      perform sediment.discard_object(b.probe_key, 'a probe');
    end if;
  end if;
  return jsonb_build_object('state', b.state, 'probe_at', b.probe_at);
end $function$;

CREATE OR REPLACE FUNCTION public.raise_test_alert()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_id bigint;
begin
  insert into public.alerts (class, window_start, attempts, payload)
  values ('test', v_now, (select s.alert_max_attempts - 1 from public.service_settings s),
    jsonb_build_object('class', 'test', 'summary', 'Sediment can reach you: this alert was asked for', 'at', v_now))
  returning id into strict v_id;
  return to_jsonb(v_id);
end $function$;

revoke all on function "public"."raise_test_alert"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.schema_version()
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select to_jsonb(3)
$function$;

CREATE OR REPLACE FUNCTION public.watch_health(p_close boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_health jsonb := public.catalog_health();
  v_reasons text[] := array(select jsonb_array_elements_text(v_health -> 'reasons'));
  v_opened text[] := '{}';
  v_closed text[] := '{}';
  v_name text;
begin
  if current_setting('transaction_read_only') = 'on' then
    return jsonb_build_object('opened', v_opened, 'closed', v_closed);
  end if;
  foreach v_name in array array_remove(v_reasons, 'breaker_open') loop
    if sediment.open_incident(v_name, format('Sediment is stuck: %s (%s)', sediment.health_text(v_name), v_name),
        p_watched => true)
    then
      v_opened := v_opened || v_name;
    end if;
  end loop;
  for v_name in
    select i.name from public.incidents i
    where p_close and i.watched and i.state = 'open' and i.name <> all (v_reasons) order by i.name for no key update
  loop
    update public.incidents i set unseen = i.unseen + 1 where i.name = v_name and i.unseen = 0;
    if not found then
      perform sediment.close_incident(v_name);
      v_closed := v_closed || v_name;
    end if;
  end loop;
  return jsonb_build_object('opened', v_opened, 'closed', v_closed);
end $function$;

revoke all on function "public"."watch_health"(boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.beat_clockwork()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_last timestamptz;
  v_gap boolean;
begin
  select c.beat_at, c.beat_at < v_now - make_interval(secs => s.clockwork_gap_seconds) into v_last, v_gap
  from public.clockwork c, public.service_settings s for no key update of c skip locked;
  if not found then
    return;
  end if;
  update public.clockwork c
  set beat_at = v_now, gap_ended_at = case when v_gap then v_now else c.gap_ended_at end
  where c.id;
  if v_gap and v_last > '-infinity' then
    perform sediment.raise_alert('clockwork_gap', format('Sediment''s jobs stood still for %s: the database did not answer, took no writes, or pg_cron was off',
      date_trunc('second', v_now - v_last)), jsonb_build_object('from', v_last, 'until', v_now));
  end if;
end $function$;

CREATE OR REPLACE FUNCTION sediment.clockwork_faults()
 RETURNS text[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs constant text[] := array['sediment_tick', 'sediment_leases', 'sediment_sweep', 'sediment_history',
    'sediment_scheduled', 'sediment_vacuum', 'sediment_dead_letters', 'sediment_health'];
  v_faults text[] := '{}';
  v_refused integer;
  v_outdated integer;
begin
  begin
    -- a timeout alone is no fault: a ping does not wait for the work
    with answered as (
      select p.path, r.status_code, r.created, r.content like '%schema_outdated%' as outdated
      from net._http_response r left join public.pings p on p.id = r.id
      where r.created > clock_timestamp() - interval '5 minutes')
    select count(*), count(*) filter (where a.outdated) into strict v_refused, v_outdated
    from answered a where a.status_code >= 400 and not exists (
      select 1 from answered s where s.status_code between 200 and 299
        and (s.path is not distinct from a.path or a.status_code in (401, 403) and s.created > a.created));
    if v_refused > 0 then
      v_faults := v_faults || 'pings_refused'::text;
    end if;
    if v_outdated > 0 then
      v_faults := v_faults || 'schema_outdated'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  begin
    if (select count(*) from cron.job j where j.jobname = any (v_jobs) and j.active) < cardinality(v_jobs) then
      v_faults := v_faults || 'jobs_missing'::text;
    end if;
    if exists (
      select 1 from cron.job j
      cross join lateral (select bool_and(d.status = 'failed') as failed, count(*) as runs from (
        select x.status from cron.job_run_details x where x.jobid = j.jobid and x.status in ('succeeded', 'failed')
        order by x.runid desc limit 3) d) l
      where j.jobname = any (v_jobs) and l.runs = 3 and l.failed)
    then
      v_faults := v_faults || 'jobs_failing'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  return v_faults;
end $function$;

CREATE OR REPLACE FUNCTION sediment.close_incident(p_name text, p_summary text DEFAULT NULL::text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  i public.incidents;
begin
  update public.incidents x
  set state = 'closed', closed_at = v_now, unseen = 0
  where x.name = p_name and x.state = 'open'
  returning * into i;
  if not found then
    return false;
  end if;
  perform sediment.raise_alert(p_name || '_closed', coalesce(p_summary, format('Sediment is over %s after %s', p_name,
      date_trunc('second', v_now - i.opened_at))),
    i.details || jsonb_build_object('incident', p_name, 'phase', 'closed', 'opened_at', i.opened_at));
  return true;
end $function$;

revoke all on function "sediment"."close_incident"(text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.health_text(p_reason text)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select case p_reason
    when 'breaker_open' then 'store or catalog failed at two partitions: nothing is claimed until probes succeed'
    when 'work_waits' then 'a message is due for over 90 s and nobody has claimed anything since'
    when 'pings_refused' then 'the pings of the last five minutes were refused'
    when 'schema_outdated' then 'the schema is older than the functions: supabase db push'
    when 'jobs_missing' then 'pg_cron lacks a job of ours'
    when 'jobs_failing' then 'a job of pg_cron has failed three times in a row'
    when 'leases_overdue' then 'a lease that ended was not taken back: the minutely jobs do not run'
    when 'debt_overdue' then 'debt is due and has no message: the minutely jobs do not run'
    when 'read_only' then 'the database takes no writes'
  end
$function$;

revoke all on function "sediment"."health_text"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.open_incident(p_name text, p_summary text, p_details jsonb DEFAULT '{}'::jsonb, p_watched boolean DEFAULT false)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
begin
  insert into public.incidents as i (name, state, watched, opened_at, summary, details)
  values (p_name, 'open', p_watched, v_now, left(p_summary, 1000), p_details)
  on conflict (name) do update
  set state = 'open', watched = excluded.watched, opened_at = excluded.opened_at, closed_at = null,
    summary = excluded.summary, details = excluded.details, unseen = 0
  where i.state = 'closed';
  if found then
    perform sediment.raise_alert(p_name || '_opened', left(p_summary, 1000),
      p_details || jsonb_build_object('incident', p_name, 'phase', 'opened', 'opened_at', v_now));
    return true;
  end if;
  update public.incidents i
  set summary = left(p_summary, 1000), details = p_details, unseen = 0
  where i.name = p_name and i.state = 'open'
    and (i.unseen > 0 or i.summary <> left(p_summary, 1000) or i.details <> p_details);
  return false;
end $function$;

revoke all on function "sediment"."open_incident"(text, text, jsonb, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.ping_functions(p_path text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_url text;
  v_key text;
  v_id bigint;
begin
  if p_path !~ '^(/[a-z-]+)+$' then
    perform sediment.fail('invalid_request', 400, format('%s is not the path of a function', p_path));
  end if;
  select s.decrypted_secret into v_url from vault.decrypted_secrets s where s.name = 'sediment_functions_url';
  select s.decrypted_secret into v_key from vault.decrypted_secrets s where s.name = 'sediment_cron_key';
  if v_url is null or v_key is null then
    return null;
  end if;
  v_id := net.http_post(
    url := rtrim(v_url, '/') || p_path,
    body := '{}'::jsonb,
    headers := jsonb_build_object('Content-Type', 'application/json', 'apikey', v_key),
    timeout_milliseconds := 5000);
  -- after a restore pg_net may count anew
  insert into public.pings as p (id, path) values (v_id, p_path)
  on conflict (id) do update set path = excluded.path, sent_at = clock_timestamp();
  return v_id;
end $function$;

CREATE OR REPLACE FUNCTION sediment.prune_pass(p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_before timestamptz;
  v_runs uuid[];
  v_commits integer;
  v_letters integer;
  v_alerts integer;
  v_objects integer;
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
    'more', greatest(cardinality(v_runs), v_letters, v_alerts, v_objects) = p_limit);
end $function$;

CREATE OR REPLACE FUNCTION sediment.trip_breaker(p_partition text, p_part text, p_code text, p_message text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into b from public.circuit_breaker x for no key update skip locked;
  if not found or b.state = 'open' then
    return;
  end if;
  select * into strict s from public.service_settings;
  if b.suspect is null or b.suspect = p_partition or b.part is distinct from p_part
    or b.suspect_at < v_now - make_interval(secs => s.breaker_window_seconds)
  then
    update public.circuit_breaker x
    set suspect = p_partition, suspect_at = v_now, part = p_part, error_code = p_code,
      error_message = left(p_message, 2000)
    where x.id;
    return;
  end if;
  update public.circuit_breaker x
  set state = 'open', opened_at = v_now, part = p_part, error_code = p_code, error_message = left(p_message, 2000),
    suspect = null, suspect_at = null, probes_passed = 0, probes_failed = 0, probe_until = null,
    probe_at = v_now + make_interval(secs => s.breaker_probe_seconds)
  where x.id;
  perform sediment.open_incident('breaker', format('Sediment stopped compaction: %s (%s) at two partitions, now %s',
    p_code, p_part, left(p_message, 500)), jsonb_build_object('message', left(p_message, 2000), 'part', p_part));
end $function$;

CREATE INDEX pings_sent_at ON public.pings USING btree (sent_at);

CREATE POLICY "service_all" ON "public"."incidents" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."pings" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON TABLE "public"."incidents" IS 'What is wrong now, or was last: a row a kind of trouble.';

COMMENT ON TABLE "public"."pings" IS 'Where the pings of the last day went, by the ids of pg_net.';

REVOKE ALL ON FUNCTION "public"."claim_alerts"(integer, integer, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."claim_alerts"(integer, integer, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "public"."raise_test_alert"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."raise_test_alert"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."watch_health"(boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."watch_health"(boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."close_incident"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."close_incident"(text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."health_text"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."health_text"(text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."open_incident"(text, text, jsonb, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."open_incident"(text, text, jsonb, boolean) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."incidents" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."pings" TO "service_role";

select cron.schedule('sediment_health', '* * * * *', 'select public.watch_health()');
