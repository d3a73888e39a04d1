begin;
\ir helpers/fixtures.sql
select plan(27);
set local role service_role;

select tests.upload(1, 100, 'a');
create temp table r as select (tests.partition(100)).run_id as id;
select is(run_status(tests.u(1), id) ->> 'status', 'queued', 'a run that waits is queued') from r;
select is(run_status(tests.u(1), id) ->> 'next_attempt_at', to_jsonb((tests.partition(100)).ready_at) #>> '{}', 'and says until when') from r;
select is(run_status(tests.u(1), id) -> 'output', 'null', 'without an output') from r;
create temp table c as select tests.claim() as c;
select is(run_status(tests.u(1), id) ->> 'status', 'running', 'a claimed one is running') from r;
select is(run_status(tests.u(1), id) ->> 'step', 'validate-dataset', 'at its first step') from r;
select record_step(id, 1, 'merge', '{"decision": "merge it"}', '{"bytes_done": 50, "bytes": 100}') from r;
select is(run_status(tests.u(1), id) ->> 'decision', 'merge it', 'the plan is told before anything is committed') from r;
select is(run_status(tests.u(1), id) ->> 'step', 'merge', 'with its step') from r;
select is(run_status(tests.u(1), id) -> 'progress', '{"bytes": 100, "bytes_done": 50}', 'and progress') from r;
select fail_compaction(id, 1, 'store_failed', 'no answer', 'merge', false) from r;
select is(run_status(tests.u(1), id) ->> 'status', 'queued', 'one that waits for its retry is queued') from r;
select is(run_status(tests.u(1), id) -> 'error' ->> 'code', 'store_failed', 'and says what failed') from r;
create temp table c2 as select tests.claim() as c;
select tests.compact(c, '{"decision": "merged 1 of 1", "output": {"planned": 1}, "progress": {"bytes_done": 100, "bytes": 100}}') from c2;
select is(run_status(tests.u(1), id) -> 'progress', '{"bytes": 100, "bytes_done": 100}', 'a commit tells how far it came') from r;
select is(run_status(tests.u(1), id) ->> 'status', 'success', 'one that committed is a success') from r;
select is(run_status(tests.u(1), id) -> 'error', 'null', 'without an error') from r;
select is(run_status(tests.u(1), id) ->> 'decision', 'merged 1 of 1', 'with the planner''s words') from r;
select is(run_status(tests.u(1), id) -> 'output' ->> 'rows_after', '10', 'with its figures') from r;
select is(run_status(tests.u(1), id) -> 'output' ->> 'planned', '1', 'and what the run said itself') from r;
select isnt(run_status(tests.u(1), id) ->> 'completed_at', null, 'and its end') from r;
select throws_ok($$select run_status(tests.u(2), id) from r$$, 'SD404', 'run_not_found', 'another user''s run is not found');
select throws_ok($$select run_status(tests.u(1), tests.u(9))$$, 'SD404', 'run_not_found', 'nor an unknown one');
select lives_ok($$select run_status(null, id) from r$$, 'the service sees all');

-- a request for many
select tests.upload(1, 200, 'b', 'x'), tests.upload(1, 200, 'c', 'y');
create temp table f as select (request_compaction(tests.u(1), tests.u(200)) ->> 'instanceId')::uuid as id;
select is(run_status(tests.u(1), id) -> 'children', '{"done": 0, "total": 2, "failed": 0}', 'a request for many counts its runs') from f;
select tests.compact(c) from (select tests.claim('w', 200, 'x') as c) x;
select is(run_status(tests.u(1), id) ->> 'status', 'running', 'it runs until the last has ended') from f;
select fail_compaction((c ->> 'run_id')::uuid, 1, 'internal', 'no', 'merge', true) from (select tests.claim('w', 200, 'y') as c) x;
select is(run_status(tests.u(1), id) ->> 'status', 'error', 'one that failed makes it an error') from f;
select is(sweep() -> 'fan_outs_closed', '1', 'the sweep closes it');
select is((select status from processing_metrics p, f where p.id = f.id), 'failure', 'as a failure');

update processing_metrics set queued_at = now() - interval '100 days', completed_at = now() - interval '100 days' where completed_at is not null and operation = 'compaction';
update dead_letters set resolved_at = now() - interval '100 days', created_at = now() - interval '100 days';
select prune_history();
select is(run_status(tests.u(1), id) -> 'children', '{"done": 0, "total": 0, "failed": 0}', 'when its runs are forgotten') from f;
select is(run_status(tests.u(1), id) ->> 'status', 'error', 'it still says how they ended') from f;

select * from finish();
rollback;
