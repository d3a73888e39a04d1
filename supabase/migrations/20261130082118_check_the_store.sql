-- The store is checked by itself, hourly and a slice at a time: its list once a day, 128 MiB of bytes a day. What differs is in
-- store_differences and opens the incident store_findings. Two settings: store_check_interval_seconds, store_check_bytes_per_day.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE TABLE "public"."store_check" ("id" boolean NOT NULL DEFAULT true, "token" bigint NOT NULL DEFAULT 0, "leased_until" timestamp with time zone, "list_cursor" text, "after_key" text NOT NULL DEFAULT ''::text, "tries" integer NOT NULL DEFAULT 0, "pass_started_at" timestamp with time zone, "pass_ended_at" timestamp with time zone, "passes" bigint NOT NULL DEFAULT 0, "read_after" bigint NOT NULL DEFAULT 0, "read_at" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone, "reads" bigint NOT NULL DEFAULT 0, CONSTRAINT "store_check_id_check" CHECK (id), CONSTRAINT "store_check_pkey" PRIMARY KEY (id));

revoke all on "public"."store_check" from public, anon, authenticated, service_role;

ALTER TABLE "public"."store_check" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."store_findings" ("object_key" text NOT NULL, "kind" text NOT NULL, "detail" text NOT NULL, "found_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), "looked_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), "confirmed_at" timestamp with time zone, CONSTRAINT "store_findings_kind_check" CHECK ((kind = ANY (ARRAY['lost'::text, 'changed'::text, 'unknown'::text, 'undead'::text]))), CONSTRAINT "store_findings_pkey" PRIMARY KEY (object_key));

revoke all on "public"."store_findings" from public, anon, authenticated, service_role;

ALTER TABLE "public"."store_findings" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."service_settings" ADD COLUMN "store_check_interval_seconds" integer NOT NULL DEFAULT 86400;

ALTER TABLE "public"."service_settings" ADD COLUMN "store_check_bytes_per_day" bigint NOT NULL DEFAULT 134217728;

CREATE OR REPLACE FUNCTION public.begin_store_check(p_full boolean DEFAULT false, p_restart boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  c public.store_check;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_list boolean;
  v_suspects jsonb;
  v_read record;
begin
  if exists (select 1 from public.circuit_breaker b where b.state = 'open') then
    return jsonb_build_object('claimed', false, 'reason', 'breaker_open');
  end if;
  select * into c from public.store_check x for no key update skip locked;
  if not found or c.leased_until > v_now then
    return jsonb_build_object('claimed', false, 'reason', 'busy');
  end if;
  select * into strict s from public.service_settings;
  if p_restart or c.tries >= 5 then
    c.list_cursor := null; c.after_key := ''; c.tries := 0; c.pass_started_at := null;
    c.read_after := case when p_restart then 0 else c.read_after end;
  end if;
  v_list := p_full or c.pass_started_at is not null
    or coalesce(c.pass_ended_at, '-infinity') <= v_now - make_interval(secs => s.store_check_interval_seconds);

  select coalesce(jsonb_agg(jsonb_build_object('object_key', x.object_key, 'kind', x.kind, 'files', (
    select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte,
      'byte_length', f.byte_length, 'checksum', f.checksum)), '[]')
    from public.battle_files f where f.object_key = x.object_key and f.removed_version is null
      and f.checksum is not null and x.kind = 'changed'))), '[]')
  into strict v_suspects from (
    select f.object_key, f.kind from public.store_findings f
    where f.looked_at <= v_now - make_interval(secs => s.second_look_seconds)
    order by f.looked_at limit 50) x;

  -- the ids beyond the last one: what is gone, set aside or of no known checksum is passed over
  with window_ as (
    select f.* from public.battle_files f where f.id > c.read_after order by f.id limit 2000
  ), chosen as (
    select w.* from window_ w
    where w.removed_version is null and w.state = 'active' and w.checksum is not null order by w.id limit 20
  )
  select (select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte,
      'byte_length', f.byte_length, 'checksum', f.checksum) order by f.id), '[]') from chosen f) as files,
    case when (select count(*) from chosen) = 20 then (select max(f.id) from chosen f)
      else coalesce((select max(w.id) from window_ w), c.read_after) end as after,
    (select count(*) from chosen) < 20 and (select count(*) from window_) < 2000 as ended
  into v_read
  where p_full or s.store_check_bytes_per_day > 0 and c.read_at <= v_now;

  if not v_list and v_read.after is null and v_suspects = '[]' then
    return jsonb_build_object('claimed', false, 'reason', 'not_due');
  end if;
  update public.store_check x
  set token = x.token + 1, leased_until = v_now + interval '5 minutes', tries = c.tries + 1,
    list_cursor = c.list_cursor, after_key = c.after_key, read_after = c.read_after,
    pass_started_at = case when v_list then coalesce(c.pass_started_at, v_now) end
  where x.id
  returning * into strict c;
  return jsonb_build_object('claimed', true, 'token', c.token, 'passes', c.passes, 'reads', c.reads,
    'list', case when v_list then jsonb_build_object('cursor', c.list_cursor, 'after', c.after_key) end,
    'suspects', v_suspects, 'files', coalesce(v_read.files, '[]'),
    'read', case when v_read.after is not null then jsonb_build_object('after', v_read.after, 'ended', v_read.ended) end);
end $function$;

revoke all on function "public"."begin_store_check"(boolean, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.commit_store_check(p_token bigint, p_list jsonb DEFAULT NULL::jsonb, p_read jsonb DEFAULT NULL::jsonb, p_found jsonb DEFAULT '[]'::jsonb, p_sound text[] DEFAULT '{}'::text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  c public.store_check;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_many constant integer := 10;
  v_most constant integer := 10000;
  v_open bigint;
  v_kinds jsonb;
begin
  select * into strict c from public.store_check x for no key update;
  if c.token is distinct from p_token or c.leased_until is null then
    perform sediment.fail('lease_lost', 409, format('the check of the store is at slice %s, not %s', c.token, p_token));
  end if;
  select * into strict s from public.service_settings;

  insert into public.store_findings as f (object_key, kind, detail, found_at, looked_at)
  select n.object_key, n.kind, left(n.detail, 1000), v_now, v_now
  from jsonb_to_recordset(p_found) as n(object_key text, kind text, detail text)
  where exists (select 1 from public.store_findings x where x.object_key = n.object_key)
    or (select count(*) from public.store_findings) < v_most
  order by n.object_key
  on conflict (object_key) do update
  set kind = excluded.kind, detail = excluded.detail, looked_at = v_now,
    confirmed_at = coalesce(f.confirmed_at,
      case when f.found_at <= v_now - make_interval(secs => s.second_look_seconds) then v_now end);
  -- what was found to be as it should, and what has gone its way since: healed, remade, deleted
  delete from public.store_findings f
  where f.object_key = any (p_sound) or case when f.kind in ('lost', 'changed') then not exists (
      select 1 from public.objects o where o.object_key = f.object_key and o.state = 'stored')
    else exists (select 1 from public.objects o where o.object_key = f.object_key and o.state in ('staged', 'stored')) end;
  update public.battle_files f set lost_since = null
  where f.object_key = any (p_sound) and f.lost_since is not null and f.state = 'active' and f.removed_version is null;

  if (select count(*) from public.store_findings f where f.kind in ('lost', 'changed')
      and f.found_at > v_now - make_interval(secs => s.breaker_window_seconds)) < v_many
  then
    update public.battle_files f set lost_since = v_now
    where f.id = any (array(
      select x.id from public.store_findings y
      join public.battle_files x on x.object_key = y.object_key and x.removed_version is null
      where y.kind = 'lost' and y.confirmed_at = v_now and x.state = 'active' and x.lost_since is null
      order by x.id for no key update of x skip locked));
  end if;

  update public.store_check x
  set leased_until = null, tries = 0,
    list_cursor = case when p_list is null then x.list_cursor else p_list ->> 'cursor' end,
    after_key = case when p_list is null then x.after_key when (p_list ->> 'ended')::boolean then '' else p_list ->> 'after' end,
    passes = x.passes + coalesce((p_list ->> 'ended')::boolean, false)::integer,
    pass_started_at = case when (p_list ->> 'ended')::boolean then null else x.pass_started_at end,
    pass_ended_at = case when (p_list ->> 'ended')::boolean then v_now else x.pass_ended_at end,
    read_after = case when p_read is null then x.read_after when (p_read ->> 'ended')::boolean then 0
      else (p_read ->> 'after')::bigint end,
    reads = x.reads + coalesce((p_read ->> 'ended')::boolean, false)::integer,
    -- what was read is paid for in time: so many bytes a day; and a store of few is not read over and over
    read_at = case when p_read is null then x.read_at else v_now + case when (p_read ->> 'ended')::boolean
      then make_interval(secs => s.store_check_interval_seconds) else interval '0' end + make_interval(secs =>
        86400.0 * (p_read ->> 'bytes')::bigint / greatest(s.store_check_bytes_per_day, 1048576)) end
  where x.id;

  select coalesce(sum(k.n), 0), coalesce(jsonb_object_agg(k.kind, k.n), '{}') into strict v_open, v_kinds from (
    select f.kind, count(*) as n from public.store_findings f where f.confirmed_at is not null group by f.kind) k;
  if v_open > 0 then
    perform sediment.open_incident('store_findings', format('Sediment: %s of the store are not as the catalog says: %s',
      v_open, (select string_agg(format('%s %s', e.value, e.key), ', ' order by e.key) from jsonb_each(v_kinds) e)),
      jsonb_build_object('counts', v_kinds));
  elsif exists (select 1 from public.incidents i where i.name = 'store_findings' and i.state = 'open') then
    perform sediment.close_incident('store_findings', 'Sediment: the store is as the catalog says again');
  end if;
  return jsonb_build_object('open', v_open);
end $function$;

revoke all on function "public"."commit_store_check"(bigint, jsonb, jsonb, jsonb, text[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.compare_objects(p_keys text[], p_after text, p_last boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_to constant text := (select max(k) from unnest(p_keys) as k);
  v_rows constant integer := 5000;
  v_result jsonb;
begin
  if cardinality(p_keys) > 1000 then
    perform sediment.fail('invalid_request', 400, 'over 1000 keys');
  end if;
  with seen as (
    select o.object_key, o.state, o.size, o.etag from public.objects o
    where o.object_key > coalesce(p_after, '') and (p_last or o.object_key <= v_to)
    order by o.object_key limit v_rows
  ), absent as (
    select s.* from seen s where s.state = 'stored' and s.object_key <> all (p_keys) order by s.object_key limit 200
  ), reached as (
    select case when (select count(*) from absent) = 200 then (select max(a.object_key) from absent a)
        when (select count(*) from seen) = v_rows then (select max(s.object_key) from seen s) end as key
  )
  select jsonb_build_object(
    'known', (select coalesce(jsonb_agg(jsonb_build_object('object_key', o.object_key, 'state', o.state,
      'size', o.size, 'etag', o.etag)), '[]') from public.objects o where o.object_key = any (p_keys)),
    'absent', (select coalesce(jsonb_agg(jsonb_build_object('object_key', a.object_key, 'size', a.size,
      'etag', a.etag)), '[]') from absent a),
    'after', coalesce(r.key, greatest(v_to, p_after), ''), 'whole', r.key is null)
  into strict v_result from reached r;
  return v_result;
end $function$;

revoke all on function "public"."compare_objects"(text[], text, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.clockwork_faults()
 RETURNS text[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs constant text[] := array['sediment_tick', 'sediment_leases', 'sediment_sweep', 'sediment_history',
    'sediment_scheduled', 'sediment_vacuum', 'sediment_store_check', 'sediment_dead_letters', 'sediment_health'];
  v_faults text[] := '{}'::text[];
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

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_store_check_bytes_per_day_check" CHECK ((store_check_bytes_per_day >= 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_store_check_interval_seconds_check" CHECK ((store_check_interval_seconds > 0));

CREATE VIEW "public"."store_differences" WITH (security_invoker=true) AS  SELECT s.object_key,
    s.kind,
    s.detail,
    s.found_at AS since,
    s.looked_at,
    o.kind AS object_kind,
    COALESCE(f.dataset_id, o.dataset_id) AS dataset_id,
    COALESCE(f."table", o."table") AS "table",
    COALESCE(f.period_tag, o.period_tag) AS period_tag,
    f.id AS file_id,
    f.level,
    f.row_count
   FROM ((public.store_findings s
     LEFT JOIN public.objects o ON ((o.object_key = s.object_key)))
     LEFT JOIN public.battle_files f ON (((f.object_key = s.object_key) AND (f.removed_version IS NULL))))
  WHERE (s.confirmed_at IS NOT NULL);

revoke all on "public"."store_differences" from public, anon, authenticated, service_role;

CREATE INDEX store_findings_looked ON public.store_findings USING btree (looked_at);

CREATE POLICY "service_all" ON "public"."store_check" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."store_findings" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON COLUMN "public"."service_settings"."store_check_bytes_per_day" IS 'Bytes of data files that are read a day to compare them with their checksums, one file after the other; a store may charge for them. 0: none. Unit: bytes. Default: 134217728 (128 MiB).';

COMMENT ON COLUMN "public"."service_settings"."store_check_interval_seconds" IS 'How long after one pass over the store''s list of objects the next begins, which compares keys, sizes and ETags with the catalog. Unit: seconds. Default: 86400 (1 day).';

COMMENT ON TABLE "public"."store_check" IS 'One row: where the check of the store has come to.';

COMMENT ON TABLE "public"."store_findings" IS 'What the check of the store found that is not as the catalog says.';

REVOKE ALL ON FUNCTION "public"."begin_store_check"(boolean, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."begin_store_check"(boolean, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."commit_store_check"(bigint, jsonb, jsonb, jsonb, text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."commit_store_check"(bigint, jsonb, jsonb, jsonb, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "public"."compare_objects"(text[], text, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."compare_objects"(text[], text, boolean) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."store_check" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."store_findings" TO "service_role";

GRANT SELECT ON TABLE "public"."store_differences" TO "service_role";

select cron.schedule('sediment_store_check', '17 * * * *', 'select sediment.ping_functions(''/compactor/check'')');

insert into public.store_check (id) values (true) on conflict (id) do nothing;
