-- tick, ping_functions
begin;
\ir helpers/fixtures.sql
select plan(13);
delete from vault.secrets where name in ('sediment_functions_url', 'sediment_cron_key');

update service_settings set max_workers = 4;
set local role service_role;
select is(tick(), '{"ready": 0, "leases": null, "woken": 0}', 'an idle tick looks and leaves');
select tests.upload(1, 100 + i, 'a' || i) from generate_series(1, 6) i;
select is(tick() -> 'ready', '0', 'what waits is not ready');
select tests.make_due();
select is(tick(), '{"ready": 6, "leases": 0, "woken": 0}', 'without the two secrets nobody is woken, and nothing fails');
reset role;
select vault.create_secret('http://127.0.0.1:9/functions/v1/', 'sediment_functions_url'), vault.create_secret('key', 'sediment_cron_key');
create temp table sent_before as select coalesce(max(id), 0) as id from net.http_request_queue;
select is(tick(), '{"ready": 6, "leases": 0, "woken": 4}', 'a tick wakes no more than the workers');
select is((select count(*) from net.http_request_queue q, sent_before b where q.id > b.id), 4::bigint, 'by one ping each');
select is((select distinct url from net.http_request_queue q, sent_before b where q.id > b.id), 'http://127.0.0.1:9/functions/v1/compactor', 'to the compactor');
select is((select distinct headers ->> 'apikey' from net.http_request_queue q, sent_before b where q.id > b.id), 'key', 'with the key of cron');
select is(tick() -> 'woken', '0', 'while its pings are queued no others are sent');
delete from net.http_request_queue;
set local role service_role;
select claim_compaction('w1'), claim_compaction('w2'), claim_compaction('w3');
select is(tick(), '{"ready": 3, "leases": 3, "woken": 1}', 'those at work are counted');
select claim_compaction('w4');
select is(claim_compaction('w5'), '{"claimed": false, "reason": "busy"}', 'a worker more than there are slots gets nothing');
select is(tick(), '{"ready": 2, "leases": 4, "woken": 0}', 'when all are at work nobody is woken');
update service_settings set max_workers = 64;
reset role;
delete from net.http_request_queue;
set local role service_role;
select is(tick() -> 'woken', '2', 'nor more than there are messages');

select throws_ok($$select sediment.ping_functions('@evil.example')$$, 'SD400', 'invalid_request', 'a ping goes to a path of our own');

select * from finish();
rollback;
