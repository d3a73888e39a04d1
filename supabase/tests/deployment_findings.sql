-- ping_deployment, deployment_findings, row_limit_probe
begin;
\ir helpers/fixtures.sql
select plan(13);
delete from vault.secrets where name like 'sediment\_%';

select is(ping_deployment(), null, 'without the two secrets nothing is sent');
select is(deployment_findings() #>> '{secrets,sediment_cron_key,finding}', 'missing', 'and the key is said to be missing');
select is(deployment_findings() #> '{secrets,sediment_functions_url,there}', 'false', 'and the URL not to be there');

select vault.create_secret('functions of mine', 'sediment_functions_url');
select vault.create_secret('sb_publishable_x', 'sediment_cron_key');
select is(deployment_findings() #>> '{secrets,sediment_functions_url,finding}', 'is not a URL', 'what is no URL is named');
select is(deployment_findings() #>> '{secrets,sediment_cron_key,finding}', 'is a publishable key', 'a publishable key is named');
select unalike(deployment_findings()::text, '%sb\_publishable\_x%', 'and no value is told');

select isnt(ping_deployment(), null, 'a ping has an id');
select is(deployment_findings(-1) -> 'ping', 'null', 'a ping without an answer has none');
select is((select count(*) from jsonb_array_elements(deployment_findings() -> 'jobs')),
  (select count(*) from cron.job where jobname like 'sediment\_%'), 'every job of ours is told of');
select isnt(deployment_findings() #>> '{extensions,pgmq}', null, 'an extension has its version');
select is(deployment_findings() -> 'bucket', '{"public": false, "file_size_limit": 52428800}', 'the bucket has its limit');

set local role service_role;
select is((select count(*) from row_limit_probe), 1001::bigint, 'the probe has one row more than an answer may have');
reset role;
select is_empty($$select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace,
    (values ('anon'), ('authenticated')) r (role)
  where n.nspname in ('public', 'sediment') and c.relkind = 'S'
    and has_sequence_privilege(r.role, c.oid, 'usage, select, update')$$, 'no sequence is anybody''s');

select * from finish();
rollback;
