begin;
\ir helpers/fixtures.sql
select plan(20);
set local role service_role;

select tests.upload(1, 100, 'a'), tests.upload(1, 100, 'b', 'ship');
select is((select (compaction_needed, compaction_in_progress, debt_files) from dataset_status where id = tests.u(100)), row(true, false, 2::bigint), 'a dataset in debt needs compaction');
select is((select state from partition_status where "table" = 'port'), 'waiting', 'a partition whose message is not due waits');
select tests.make_due();
select is((select state from partition_status where "table" = 'port'), 'queued', 'then it is queued');
select is((select (messages, due) from queue_status where queue = 'realtime'), row(2::bigint, 2::bigint), 'the queue shows it');
create temp table c as select tests.claim('w', 100, 'port') as c;
select is((select compaction_in_progress from dataset_status where id = tests.u(100)), true, 'a lease is compaction in progress');
select is((select state from partition_status where "table" = 'port'), 'running', 'the partition runs');
select quarantine_file((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, (tests.ids(c))[1], 'invalid_parquet', 'bad') from c;
select is((select quarantine_reason from quarantined_files), 'bad', 'a quarantined file says why');
update partitions set lease_expires_at = clock_timestamp() - interval '1 s' where lease_expires_at is not null;
select is((select compaction_in_progress from dataset_status where id = tests.u(100)), false, 'an expired lease is no progress');
select is((select state from partition_status where "table" = 'port'), 'expired', 'the partition says so');
update partitions set lease_expires_at = clock_timestamp() + interval '100 s' where lease_expires_at is not null;
select tests.commit(c, null, '{}', p_result => jsonb_build_object('decision', 'one bad file', 'left_alone', 3, 'debt', '{"files": 0}'::jsonb, 'next_due_at', clock_timestamp() + interval '1 h')) from c;
select is((select (state, last_decision, debt_files) from partition_status where "table" = 'port'), row('scheduled'::text, 'one bad file'::text, 0::bigint), 'then it is due later, with the decision');
select is((select left_alone_files from partition_status where "table" = 'port'), 3::bigint, 'and how many files it left alone for their cost');
select is((select left_alone_files from dataset_status where id = tests.u(100)), 3::bigint, 'its dataset too');
select ok((select next_due_at > clock_timestamp() + interval '50 min' from partition_status where "table" = 'port'), 'and says when');
select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'internal', 'no', 'merge', true) from (select tests.claim('w', 100, 'ship') as c) x;
select is((select (state, debt_files) from partition_status where "table" = 'ship'), row('dead'::text, 1::bigint), 'a dead partition keeps its debt');
select is((select (dead_partitions, compaction_needed) from dataset_status where id = tests.u(100)), row(1::bigint, true), 'the dataset counts it');
select is((select (error_code, open) from dead_letter_summary), row('internal'::text, 1::bigint), 'the summary names the class');
select tests.upload(1, 200, 'c');
select tests.compact(c) from (select tests.claim('w', 200) as c) x;
select is((select state from partition_status where dataset_id = tests.u(200)), 'idle', 'a compacted partition is idle');
select is((select left_alone_files from partition_status where dataset_id = tests.u(200)), 0::bigint, 'and has left none alone');
select is((select (compaction_needed, row_count, file_count) from dataset_status where id = tests.u(200)), row(false, 10::bigint, 1::bigint), 'its dataset needs nothing');
select is((select compression_ratio from dataset_status where id = tests.u(200)), 4.444::double precision, 'and says how well it is compressed');

select * from finish();
rollback;
