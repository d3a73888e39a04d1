begin;
\ir helpers/fixtures.sql
select plan(38);
set local role service_role;

select tests.upload(1, 100, 'a');
create temp table c as select tests.claim() as c;
create temp table f as select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'store_failed', 'no answer', 'merge', false) as f from c;
select is((select f ->> 'status' from f), 'retry', 'a first failure is tried again');
select ok((select (f ->> 'retry_at')::timestamptz between clock_timestamp() and clock_timestamp() + interval '6 s' from f), 'within the first back-off');
select is((tests.partition(100)).lease_expires_at, null, 'the lease is free');
select is((select (status, error_code, error_message, error_step, attempts) from processing_metrics r, c where r.id = (c ->> 'run_id')::uuid),
  row('queued'::text, 'store_failed'::text, 'no answer'::text, 'merge'::text, 1), 'the run says what happened');
select ok((select m.vt >= (tests.partition(100)).ready_at from sediment.queue_messages m), 'the message waits as long');
select is(claim_compaction('w') ->> 'claimed', 'false', 'nobody gets it before');
select throws_ok($$select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'x', 'y', 'z', false) from c$$, 'SD409', 'lease_lost', 'a failed attempt can''t fail again');
select throws_ok($$select tests.commit(c, null, '{}') from c$$, 'SD409', 'lease_lost', 'nor commit');

-- an upload must not cut the back-off short, a person may
update partitions set ready_at = clock_timestamp() + interval '100 s';
update pgmq.q_compaction_realtime set vt = clock_timestamp() + interval '100 s';
select tests.upload(1, 100, 'b');
select ok((tests.partition(100)).ready_at > clock_timestamp() + interval '90 s', 'an upload keeps the back-off');
select request_compaction(tests.u(1), tests.u(100), 'port', '2024-11-25', 'manual');
select ok((tests.partition(100)).ready_at <= clock_timestamp() + interval '1 s', 'a person cuts it short');

select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'store_failed', 'again', 'merge', false) from (select tests.claim() as c) x;
create temp table c3 as select tests.claim() as c;
select is((select c -> 'attempt' from c3), '3', 'there are three attempts');
create temp table dead as select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'store_failed', 'for good', 'merge', false) as f from c3;
select is((select f ->> 'status' from dead), 'dead', 'then it is dead');
select is((select count(*) from dead_letters l, dead where l.id = (f ->> 'dead_letter_id')::bigint and l.resolved_at is null), 1::bigint, 'in the dead letters');
select is((select (error_code, error_step, attempts, user_id) from dead_letters), row('store_failed'::text, 'merge'::text, 3, tests.u(1)), 'with class, step and attempts');
select ok((select first_failed_at < last_failed_at from dead_letters), 'first and last time');
select is((select message ->> 'metricId' from dead_letters), (select c ->> 'run_id' from c3), 'and the message');
select is((select status from processing_metrics r, c3 where r.id = (c ->> 'run_id')::uuid), 'dlq_failure', 'the run says so');
select is(tests.messages(), 0::bigint, 'the message is archived');
select is((select count(*) from pgmq.q_compaction_dlq), 1::bigint, 'the alert is queued');
select is((tests.partition(100)).debt_files, 2::bigint, 'the debt stays');
select ok((tests.partition(100)).dead_since is not null, 'and the partition says that it is dead');
select ok((tests.partition(100)).due_at > clock_timestamp() + interval '4 minutes', 'which is looked at again in minutes');
select is(sweep() -> 'sent', '0', 'not before');
select is(tests.upload(1, 100, 'c') ->> 'metricId', (tests.partition(100)).run_id::text, 'a new upload does');
select is((tests.partition(100)).dead_since, null, 'and the partition lives');

-- permanent
create temp table c4 as select tests.claim() as c;
select is(fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'schema_incompatible', 'no', 'merge', true) ->> 'status', 'dead', 'a permanent error is dead at once') from c4;
-- success resolves
select tests.upload(1, 100, 'd');
select is((select count(*) from dead_letters where resolved_at is null), 2::bigint, 'two letters are open');
select tests.compact(c) from (select tests.claim() as c) x;
select is((select count(*) from dead_letters where resolution = 'succeeded'), 2::bigint, 'a later success resolves them');

-- demand behind a dead run
select tests.upload(1, 200, 'e');
create temp table c5 as select tests.claim() as c;
create temp table n as select tests.upload(1, 200, 'f') as a;
select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'internal', 'no', 'merge', true) from c5;
select is((tests.partition(200)).run_id::text, (select a ->> 'metricId' from n), 'what came during a run that died gets attempts of its own');
select is((tests.partition(200)).dead_since, null, 'so the partition is not dead');

-- a retry inherits the higher priority that waits behind it
select tests.upload(1, 300, 'g');
create temp table c6 as select tests.claim() as c from (select tests.compact(tests.claim())) x;
select is((select c ->> 'dataset_id' from c6), tests.u(300)::text, 'the third dataset is claimed');
select request_compaction(tests.u(1), tests.u(300), 'port', '2024-11-25', 'manual');
select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'store_failed', 'no', 'merge', false) from c6;
select is((tests.partition(300)).queue, 'manual', 'a retry takes over the priority of what waits behind it');
select is((tests.partition(300)).run_id::text, (select c ->> 'run_id' from c6), 'as the same run');

-- what is read in vain again is suspected
select tests.upload(1, 400, b) from unnest('{h,i,j,k,l,m}'::text[]) as b;
update service_settings set breaker_window_seconds = 600;
reset role;
create function tests.miss(p_files integer default 6) returns jsonb language plpgsql as $$
declare v jsonb := tests.claim('w', 400);
begin
  perform stage_output((v ->> 'run_id')::uuid, 0, (v ->> 'token')::bigint, 1, (tests.ids(v))[1 : p_files]);
  return fail_compaction((v ->> 'run_id')::uuid, (v ->> 'token')::bigint, 'store_failed', 'none is there', 'merge', false, 'environment', 'store_read');
end $$;
select is((select status from tests.miss() m, jsonb_to_record(m) as x(status text)), 'retry', 'a run that finds none of its files is given back');
select is((select count(*) from store_findings), 0::bigint, 'and nothing is suspected yet');
select tests.miss();
select is((select array_agg(n.kind || ' ' || f.seq_min || ' ' || coalesce(n.confirmed_at::text, '-') order by f.seq_min) from store_findings n join battle_files f using (object_key)),
  '{lost 1 -,lost 2 -,lost 3 -,lost 4 -,lost 5 -}'::text[], 'the second time five of them are, of which nothing is confirmed');
select tests.miss();
select is((select count(*) from store_findings), 5::bigint, 'and no more within the window');
update store_findings set found_at = found_at - interval '11 minutes';
select tests.miss();
select is((select count(*) from store_findings), 6::bigint, 'then the others');

select * from finish();
rollback;
