-- tick, sweep, expire_leases, trigger_scheduled, catalog_health
begin;
\ir helpers/fixtures.sql
select plan(66);
delete from vault.secrets where name in ('sediment_functions_url', 'sediment_cron_key');

-- tick
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

-- expire_leases
select is(expire_leases(), '{"dead": 0, "more": false, "expired": 0}', 'a live lease is left alone');
update partitions set lease_expires_at = clock_timestamp() - interval '1 s' where lease_worker in ('w1', 'w2');
update processing_metrics set attempts = 3 where worker = 'w2';
select is(expire_leases(1), '{"dead": 0, "more": true, "expired": 1}', 'an expired lease is taken back, a few at a time') where false
union all select is(expire_leases(), '{"dead": 1, "more": false, "expired": 2}', 'expired leases are taken back; attempts that are used up are dead');
select is((select count(*) from partitions where lease_expires_at is not null), 2::bigint, 'the others are left');
select is((select token from partitions p join processing_metrics r on r.id = p.run_id where r.worker = 'w1'), 2::bigint, 'the token rises');
select is((select status from processing_metrics where worker = 'w1'), 'queued', 'the run waits for its next attempt');
select is((select status from processing_metrics where worker = 'w2'), 'timeout', 'or timed out');

-- sweep: debt without a message
select is(sweep() -> 'sent', '0', 'the sweep finds nothing');
insert into partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, debt_oldest, due_at) values
  (tests.u(101), 'due', '0', 1, 1, now(), clock_timestamp() - interval '1 s'), (tests.u(101), 'later', '0', 1, 1, now(), clock_timestamp() + interval '1 h'),
  (tests.u(101), 'dead', '0', 1, 1, now(), null);
select is(sweep() -> 'sent', '1', 'debt that is due and has no message is sent');
select is((tests.partition(101, 'due', '0')).queue, 'scheduled', 'with the lowest priority');
select is((tests.partition(101, 'due', '0')).due_at, null, 'once');
select is((tests.partition(101, 'later', '0')).msg_id, null, 'what is due later waits');
select is((tests.partition(101, 'dead', '0')).msg_id, null, 'what is dead stays dead');
select is(sweep() -> 'sent', '0', 'a second sweep finds nothing');
-- a purged message
delete from pgmq.q_compaction_scheduled;
select is(sweep() -> 'resent', '1', 'a message that is gone is sent again');
select is((select m.message ->> 'metricId' from pgmq.q_compaction_scheduled m), (tests.partition(101, 'due', '0')).run_id::text, 'for the same run');
-- a request for a whole dataset whose message is gone
insert into processing_metrics (user_id, dataset_id, operation, trigger, priority, status, fan_out_cursor, queued_at)
values (tests.u(1), tests.u(101), 'fan_out', 'request', 'manual', 'running', '{"after_table": "", "after_period_tag": ""}', clock_timestamp() - interval '2 min');
select is(sweep() -> 'resent', '1', 'a request that is not yet spread gets its message again');
select is((select count(*) from pgmq.q_compaction_manual m join processing_metrics r on r.id::text = m.message ->> 'metricId' where r.operation = 'fan_out'), 1::bigint, 'under its own id');
select is(sweep() -> 'resent', '0', 'once');
reset role;
create temp table pings as select coalesce(max(id), 0) as id from net.http_request_queue;
select sweep();
select is((select count(*) from net.http_request_queue q, pings b where q.id > b.id), 1::bigint, 'a worker is woken for a message that no partition knows');
select setval('sediment.queue_turn', 10, false); -- a turn of the manual queue
set local role service_role;
select is(claim_compaction('w9') ->> 'reason', 'fanned_out', 'and spreads it');
update partitions set ready_at = clock_timestamp() + interval '1 h' where "table" = 'due';
-- stages
create temp table s as select tests.stage(1, 101, 'staged', p_kind => 'direct_fragment') as s;
select is(sweep() -> 'stages_expired', '0', 'a young stage is kept');
update objects set expires_at = clock_timestamp() - interval '1 h' where state = 'staged';
select is(sweep() -> 'stages_expired', '0', 'also when its token has expired: bytes may still arrive');
update objects set put_deadline = clock_timestamp() - interval '1 s' where state = 'staged';
select is(sweep() -> 'stages_expired', '2', 'past the last possible PUT it goes');
select is((select count(*) from objects o, s where o.stage_id = (s ->> 'stage_id')::uuid and o.state = 'deleting' and o.delete_after <= clock_timestamp()), 2::bigint, 'with both its objects');
select is((select count(*) from objects where state = 'stored' and delete_after is not null), 0::bigint, 'and nothing that is stored');
-- idempotency keys
select stage_upload(tests.u(1), tests.u(101), 't', '0', 1, tests.hash('k'), '', p_idempotency_key => 'k1');
select throws_ok($$select stage_upload(tests.u(1), tests.u(101), 't', '0', 1, tests.hash('k2'), '', p_idempotency_key => 'k1')$$, 'SD422', 'upload_conflict', 'an Idempotency-Key names one upload');
update idempotency_keys set created_at = clock_timestamp() - interval '2 days';
select is((select count(*) from (select sweep()) x, idempotency_keys), 1::bigint, 'a day later') where false union all select lives_ok($$select sweep()$$, 'the sweep runs over old keys');
select is((select count(*) from idempotency_keys), 0::bigint, 'and forgets them');

-- the archive
select is((select count(*) from pgmq.a_compaction_realtime where message ->> 'datasetId' = tests.u(102)::text), 1::bigint, 'what is done is in the archive');
update pgmq.a_compaction_realtime set archived_at = archived_at - interval '31 days' where message ->> 'datasetId' = tests.u(102)::text;
select sweep();
select is((select count(*) from pgmq.a_compaction_realtime where message ->> 'datasetId' = tests.u(102)::text), 0::bigint, 'and leaves it after a month');

-- the log of cron itself
reset role;
insert into cron.job_run_details (jobid, username, command, status, start_time, end_time)
select j.jobid, current_user, 'x', 'succeeded', clock_timestamp() - d.age, clock_timestamp() - d.age
from cron.job j, (values (interval '8 days'), (interval '6 days')) d(age) where j.jobname = 'sediment_tick';
select lives_ok((select command from cron.job where jobname = 'sediment_cron_log'), 'cron''s log of our jobs is tidied');
select is((select count(*) from cron.job_run_details where command = 'x'), 1::bigint, 'after a week');
set local role service_role;

-- trigger_scheduled
insert into partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, debt_oldest)
select tests.u(100 + i), 'night', 'p' || j, 1, 1, now() - make_interval(hours => i) from generate_series(1, 6) i, generate_series(1, 2) j;
create temp table t as select trigger_scheduled(4, 2, 1000) as t;
select is((select t -> 'datasets' from t), jsonb_build_array(tests.u(106), tests.u(105), tests.u(104), tests.u(103)), 'the night picks the datasets whose debt is oldest');
select is((select t -> 'partitions' from t), '13', 'and their partitions, also those that have a message, and by a quarter what is dead');
select is((select p.queue from partitions p join processing_metrics r on r.id = p.run_id where r.worker = 'w2'), 'scheduled', 'under the run that it had');
select ok((select bool_and(ready_at <= clock_timestamp()) from partitions where "table" = 'night' and dataset_id in (tests.u(106), tests.u(105))), 'the first ones at once');
select ok((select bool_and(ready_at > clock_timestamp()) from partitions where "table" = 'night' and dataset_id in (tests.u(104), tests.u(103))), 'the next a little later');
select is((select count(*) from partitions where "table" = 'night' and queue = 'scheduled'), 8::bigint, 'with the lowest priority');
update service_settings set max_datasets_per_run = 1;
select is(jsonb_array_length(trigger_scheduled() -> 'datasets'), 1, 'the settings rule the nights of cron');
select cmp_ok(jsonb_array_length(trigger_scheduled(100) -> 'datasets'), '>', 1, 'and an argument overrules them');
select is(trigger_scheduled(4) -> 'datasets', (select t -> 'datasets' from t), 'debt that has its message is asked for again');
select is((select count(*) from sediment.queue_messages m where m.message ->> 'table' = 'night' and m.message ->> 'datasetId' = tests.u(106)::text), 2::bigint, 'which joins that message');

-- health
update partitions set due_at = null where due_at < clock_timestamp();
select is(catalog_health() -> 'ok', 'true', 'the catalog is well');
update partitions set lease_expires_at = clock_timestamp() - interval '3 min' where lease_worker = 'w3';
select is(catalog_health() -> 'ok', 'false', 'but not while nobody takes an old lease back');
update partitions set lease_expires_at = clock_timestamp() + interval '3 min' where lease_worker = 'w3';
insert into partitions (dataset_id, "table", period_tag, due_at) values (tests.u(101), 'unsent', '0', clock_timestamp() - interval '6 min');
select is(catalog_health() -> 'ok', 'false', 'nor while debt is due and nobody sends for it');
delete from partitions where "table" = 'unsent';
select is(catalog_health() -> 'leases', '2', 'and says how many are at work');
select is(catalog_health() -> 'dead_letters', '1', 'and what is dead');
select isnt(catalog_health() ->> 'pgmq', null, 'and on what it runs');
reset role;
update partitions set ready_at = clock_timestamp() - interval '91 s', lease_expires_at = null, claimed_demand_seq = null where msg_id is not null;
select ok(catalog_health() -> 'reasons' ? 'work_waits', 'it is stuck while what is due waits for over three ticks');
update circuit_breaker set state = 'open', part = 'store_read', error_message = '503', opened_at = now(), probe_at = now();
select is(catalog_health() -> 'reasons', '["breaker_open"]', 'or the breaker is open, which is reason enough');
update circuit_breaker set state = 'closed';
insert into net._http_response (id, status_code, created) values (1, 401, clock_timestamp());
select ok(catalog_health() -> 'reasons' ? 'pings_refused', 'or pings are refused');
insert into net._http_response (id, status_code, created) values (2, 200, clock_timestamp());
select ok(not catalog_health() -> 'reasons' ? 'pings_refused', 'not all of them');
select cron.unschedule('sediment_tick');
select ok(catalog_health() -> 'reasons' ? 'jobs_missing', 'or a job is missing');
set local role service_role;

select * from finish();
rollback;
