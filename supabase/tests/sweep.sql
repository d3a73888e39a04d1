-- sweep: what should be there and is not, what is over; and the log of cron
begin;
\ir helpers/fixtures.sql
select plan(26);
delete from vault.secrets where name in ('sediment_functions_url', 'sediment_cron_key');
select vault.create_secret('http://127.0.0.1:9/functions/v1/', 'sediment_functions_url'), vault.create_secret('key', 'sediment_cron_key');
set local role service_role;

-- two partitions at rest, whose runs are done
select tests.upload(1, 101, 'a'), tests.upload(1, 102, 'b');
select tests.compact(c) from (select tests.claim('w', 101) as c union all select tests.claim('w', 102)) x;

-- debt without a message
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
select lives_ok($$select sweep()$$, 'the sweep runs over old keys');
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

select * from finish();
rollback;
