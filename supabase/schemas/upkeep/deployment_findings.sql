-- What a look at the deployment needs of the database and no API shows: names and findings, never the values of
-- secrets. Definer, since Vault, cron's runs and pg_net's answers are the owner's alone. p_ping is what ping_deployment
-- returned. Returns {now, postgres, migrations, extensions, jobs: [{name, schedule, active, last_status, last_message,
-- last_started_at, failed, succeeded}], secrets: {name: {there, finding}}, ping: {status_code, timed_out, error, ours} |
-- null, bucket: {public, file_size_limit} | null, storage_bucket: its name, invalid_indexes: [name]}; runs are counted over the last hour. What is not installed is null.
create or replace function public.deployment_findings(p_ping bigint default null)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
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
      from storage.buckets b where b.id = sediment.storage_bucket()),
    'storage_bucket', sediment.storage_bucket(),
    -- what a `create index concurrently` that was cut off has left: written with each row, read by nobody
    'invalid_indexes', (
      select coalesce(jsonb_agg(i.indexrelid::regclass::text order by i.indexrelid::regclass::text), '[]')
      from pg_catalog.pg_index i
      join pg_catalog.pg_class t on t.oid = i.indrelid
      where not i.indisvalid and t.relnamespace::regnamespace::text in ('public', 'pgmq', 'sediment')));
end $$;
