-- What `deno task doctor` looks at, and no sequence for anon on projects that grant everybody everything.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.deployment_findings(p_ping bigint DEFAULT NULL::bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs jsonb;
  v_secrets jsonb;
  v_ping jsonb;
  v_migrations jsonb;
begin
  -- Each part by its own, dynamically: a deployment that lacks it must be told so, not refused.
  if to_regclass('cron.job') is not null then
    execute $sql$
      select coalesce(jsonb_agg(jsonb_build_object('name', j.jobname, 'schedule', j.schedule, 'active', j.active,
        'last_status', d.status, 'last_message', left(d.return_message, 200), 'last_started_at', d.start_time,
        'failed', r.failed, 'succeeded', r.succeeded) order by j.jobname), '[]')
      from cron.job j
      left join lateral (
        select count(*) filter (where x.status = 'failed') as failed,
          count(*) filter (where x.status = 'succeeded') as succeeded
        from cron.job_run_details x where x.jobid = j.jobid and x.start_time > now() - interval '1 hour') r on true
      left join lateral (
        select x.status, x.return_message, x.start_time from cron.job_run_details x
        where x.jobid = j.jobid and x.end_time is not null order by x.runid desc limit 1) d on true
      where j.jobname like 'sediment\_%'
    $sql$ into v_jobs;
  end if;
  if to_regclass('vault.decrypted_secrets') is not null then
    execute $sql$
      select jsonb_object_agg(n.name, jsonb_build_object('there', s.value is not null, 'finding', case
        when s.value is null then 'missing'
        when s.value <> btrim(s.value) then 'has blanks around it'
        when n.name = 'sediment_functions_url' and s.value !~ '^https?://[^/]+(/.*)?$' then 'is not a URL'
        when n.name = 'sediment_cron_key' and s.value ~ '^sb_publishable_' then 'is a publishable key'
        when n.name = 'sediment_cron_key' and s.value !~ '^(sb_secret_|eyJ)' then 'is not a secret key'
        end))
      from (values ('sediment_functions_url'), ('sediment_cron_key')) n (name)
      left join lateral (
        select d.decrypted_secret as value from vault.decrypted_secrets d where d.name = n.name limit 1) s on true
    $sql$ into v_secrets;
  end if;
  if p_ping is not null and to_regclass('net._http_response') is not null then
    execute $sql$
      select jsonb_build_object('status_code', a.status_code, 'timed_out', coalesce(a.timed_out, false),
        'error', left(a.error_msg, 200), 'ours', coalesce(a.content like '%"sediment"%', false))
      from net._http_response a where a.id = $1
    $sql$ into v_ping using p_ping;
  end if;
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select jsonb_agg(m.version order by m.version) from supabase_migrations.schema_migrations m'
      into v_migrations;
  end if;
  return jsonb_build_object('now', clock_timestamp(), 'postgres', current_setting('server_version'),
    'migrations', v_migrations,
    'extensions', (
      select jsonb_object_agg(n.name, e.extversion)
      from unnest(array['pgmq', 'pg_cron', 'pg_net', 'supabase_vault']) n (name)
      left join pg_catalog.pg_extension e on e.extname = n.name),
    'jobs', v_jobs, 'secrets', v_secrets, 'ping', v_ping,
    'bucket', (
      select jsonb_build_object('public', b.public, 'file_size_limit', b.file_size_limit)
      from storage.buckets b where b.id = 'sediment'));
end $function$;

revoke all on function "public"."deployment_findings"(bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.ping_deployment()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return to_jsonb(sediment.ping_functions('/compaction/deployment'));
end $function$;

revoke all on function "public"."ping_deployment"() from public, anon, authenticated, service_role;

CREATE VIEW "public"."row_limit_probe" WITH (security_invoker=true) AS  SELECT n
   FROM generate_series(1, 1001) n(n);

revoke all on "public"."row_limit_probe" from public, anon, authenticated, service_role;

REVOKE ALL ON FUNCTION "public"."deployment_findings"(bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."deployment_findings"(bigint) TO "service_role";

REVOKE ALL ON FUNCTION "public"."ping_deployment"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."ping_deployment"() TO "service_role";

GRANT SELECT ON TABLE "public"."row_limit_probe" TO "service_role";

-- Older projects also granted everybody the sequences of identity columns; inserting into those needs no grant.
revoke all on sequence public.battle_files_id_seq, public.dead_letters_id_seq, public.alerts_id_seq
  from public, anon, authenticated;
