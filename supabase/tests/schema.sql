begin;
\ir helpers/fixtures.sql
select plan(19);

-- tables
select is_empty($$select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relrowsecurity$$, 'every table has row level security');
select is_empty($$select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'pgmq' and c.relname ~ '^[qa]_compaction_' and c.relkind = 'r' and not c.relrowsecurity$$, 'the queues too');
select is_empty($$select tablename, policyname from pg_policies
  where schemaname = 'public' and (qual = 'true' or with_check = 'true') and roles <> '{service_role}'$$,
  'no policy lets everybody through but the service''s');
select is_empty($$select tablename, policyname from pg_policies
  where schemaname = 'public' and cmd <> 'SELECT' and roles <> '{service_role}'$$, 'nobody but the service writes');
select is_empty($$select table_name, privilege_type, grantee from information_schema.table_privileges
  where table_schema in ('public', 'sediment', 'pgmq') and grantee in ('anon', 'PUBLIC')
    and not (table_schema = 'pgmq' and table_name !~ '_compaction_')$$, 'anon is granted nothing');
select is_empty($$select table_name, privilege_type from information_schema.table_privileges
  where table_schema in ('public', 'pgmq', 'sediment') and grantee = 'authenticated' and privilege_type <> 'SELECT'$$,
  'authenticated may only read');
select is_empty($$select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'sediment') and c.relkind = 'v'
    and not coalesce(c.reloptions @> '{security_invoker=true}', false)$$, 'every view runs as its reader');
select isnt_empty($$select 1 from storage.buckets where id = 'sediment' and not public and file_size_limit = 52428800$$,
  'the bucket is private and limited to 50 MiB');

-- functions
create temp view ours as
  select p.oid, n.nspname, p.proname, p.prosecdef, p.provolatile, p.proconfig, p.prorettype::regtype::text as returns, p.proretset
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname = 'sediment' or (n.nspname = 'public' and not exists (
    select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e'));
select is_empty($$select proname from ours, (values ('anon'), ('authenticated')) r(role)
  where has_function_privilege(r.role, oid, 'execute')
  -- a policy asks them
  and (r.role, proname) not in (('authenticated', 'is_readable_object'), ('authenticated', 'storage_bucket'))$$, 'only the service may call a function');
select is_empty($$select proname from ours where not has_function_privilege('service_role', oid, 'execute')$$, 'and it may call each');
select is_empty($$select proname from ours where not coalesce(proconfig @> '{"search_path=\"\""}', false)$$, 'every function has an empty search_path');
select is_empty($$select proname from ours where nspname = 'public' and (returns <> 'jsonb' or proretset)$$, 'every function of the API returns one jsonb');
select is_empty($$select proname from ours where prosecdef and proname not in
    ('ping_functions', 'pings_queued', 'ping_deployment', 'clockwork_faults', 'deployment_findings', 'object_limit', 'note_deleted_user', 'is_readable_object', 'storage_bucket')$$,
  'only what has to do with pg_net and pg_cron, what doctor sees, what the bucket takes, what Auth tells of and what a policy of Storage asks runs as its definer');
select is_empty($$select proname from ours group by nspname, proname having count(*) > 1$$, 'no function is overloaded: PostgREST could not tell them apart');
select is_empty($$select proname from ours where provolatile <> 'v' and proname in (
    'stage_upload', 'commit_upload', 'claim_compaction', 'commit_compaction', 'fail_compaction', 'list_files', 'plan_vacuum')$$,
  'what locks or must see the newest rows is volatile');

-- queues and jobs
select bag_has($$select queue_name::text from pgmq.meta$$,
  $$values ('compaction_manual'), ('compaction_realtime'), ('compaction_scheduled'), ('compaction_dlq')$$, 'the four queues are there');
select bag_has($$select jobname, schedule from cron.job$$,
  $$values ('sediment_tick', '30 seconds'), ('sediment_sweep', '* * * * *'), ('sediment_leases', '* * * * *'), ('sediment_history', '* * * * *'), ('sediment_cron_log', '23 3 * * *'), ('sediment_scheduled', '0 2 * * *'), ('sediment_vacuum', '0 * * * *'), ('sediment_store_check', '7,17,27,37,47,57 * * * *'),
    ('sediment_dead_letters', '* * * * *'), ('sediment_health', '* * * * *'), ('sediment_metrics', '* * * * *'), ('sediment_rewrites', '* * * * *'), ('sediment_keys', '* * * * *'), ('sediment_lake', '30 seconds'), ('sediment_lake_history', '* * * * *'), ('sediment_lake_heads', '* * * * *')$$,
  'the jobs are there');
select is((select count(*) from cron.job where jobname like 'sediment_%'), 18::bigint, 'each once');
select has_index('public', 'battle_files', 'battle_files_visible', array['dataset_id', '"table"', 'period_tag', 'seq_min'], 'visible files are found by partition');

select * from finish();
rollback;
