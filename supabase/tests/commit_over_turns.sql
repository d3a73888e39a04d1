begin;
\ir helpers/fixtures.sql
select plan(9);
set local role service_role;

-- the turn ends before the run
select tests.upload(1, 200, 'i'), tests.upload(1, 200, 'j'), tests.upload(1, 200, 'k');
create temp table c7 as select tests.claim() as c;
select record_step((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'list-fragments', '{"plan": 1}', '{"files": 3}') from c7;
select request_compaction(tests.u(1), tests.u(200), 'port', '2024-11-25', 'manual');
create temp table m as select tests.commit(c, tests.output(c, 0, 20), (tests.ids(c))[1:2], p_result => '{"decision": "half", "more": true}') as a from c7;
select is((select a ->> 'run_status' from m), 'queued', 'with more the run is queued again');
select is((tests.partition(200)).run_id::text, (select c ->> 'run_id' from c7), 'the same one');
select is((tests.partition(200)).lease_expires_at, null, 'its lease is free');
select is((tests.partition(200)).queue, 'manual', 'it takes over the priority of what waits behind it');
create temp table c8 as select tests.claim('other') as c;
select is((select c -> 'outputs_committed' from c8), '1', 'the next worker goes on after the first commit');
select is((select c -> 'steps' -> 'list-fragments' from c8), '{"plan": 1}', 'with what was found');
select is((select c -> 'attempt' from c8), '1', 'as a first attempt');
select is(tests.commit(c, null, '{}', 1, true, '{"more": true}') ->> 'run_status', 'queued', 'a turn without any commit is an attempt that failed') from c8;
select is((select error_code from processing_metrics r, c8 where r.id = (c ->> 'run_id')::uuid), 'run_timeout', 'and says so');

select * from finish();
rollback;
