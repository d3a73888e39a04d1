begin;
\ir helpers/fixtures.sql
select plan(59);
set local role service_role;

select tests.upload(1, 100, 'a', p_rows => 10), tests.upload(1, 100, 'b', p_rows => 20), tests.upload(1, 100, 'c', p_rows => 30);
create temp table c as select tests.claim() as c;
create temp table o as select tests.output(c) as o from c;
create temp table a as select tests.commit(c, o, p_result => '{"decision": "merged 3 files", "steps_ms": {"merge": 12}, "output": {"note": 1}}') as a from c, o;

select is((select a -> 'version' from a), '4', 'a commit is a new version');
select is((select a ->> 'run_status' from a), 'success', 'the last one ends the run');
select is((select a -> 'requeued' from a), 'false', 'nothing is left');
select is((select count(*) from battle_files where removed_version = 4), 3::bigint, 'the inputs leave at that version');
select is((select (level, seq_min, seq_max, row_count, added_version, ordinal) from battle_files where level > 0),
  row(1, 1::bigint, 3::bigint, 60::bigint, 4::bigint, 0), 'the output comes at it, a level up, over the inputs'' upload order');
select is((select state from objects ob, o where ob.object_key = o ->> 'object_key'), 'stored', 'its object is stored');
select is(tests.messages(), 0::bigint, 'the message is archived');
select is((select count(*) from pgmq.a_compaction_realtime where message ->> 'datasetId' = tests.u(100)::text), 1::bigint, 'in the archive');
select is((tests.partition(100)).lease_expires_at, null, 'the lease is free');
select is((tests.partition(100)).debt_files, 0::bigint, 'no debt is left');
select is((tests.partition(100)).debt_oldest, null, 'since never');
select is((tests.partition(100)).last_decision, 'merged 3 files', 'the decision is kept');
select is((select (row_count, file_count, file_size_bytes) from datasets where id = tests.u(100)), row(60::bigint, 1::bigint, 90::bigint), 'the totals follow');
select is((select file_etag from datasets where id = tests.u(100)), 'out-0', 'with the newest etag');
select ok((select last_compacted_at is not null from datasets where id = tests.u(100)), 'and the time');
select is((select (status, files_before, files_after, rows_before, rows_after, bytes_before, bytes_after, row_groups_before, row_groups_after)
  from processing_metrics r, c where r.id = (c ->> 'run_id')::uuid), row('success'::text, 3::bigint, 1::bigint, 60::bigint, 60::bigint, 300::bigint, 90::bigint, 3::bigint, 1::bigint), 'the run has the sums');
select is((select steps_ms from processing_metrics r, c where r.id = (c ->> 'run_id')::uuid), '{"merge": 12}', 'and the times of its steps');

-- replay
select is(tests.commit(c, o) - 'replayed', (select a - 'replayed' from a), 'asked again it gives the same answer') from c, o;
select is(tests.commit(c, o) -> 'replayed', 'true', 'and says so') from c, o;
select is(commit_compaction((c ->> 'run_id')::uuid, 0, 99, null, null, true, null) -> 'replayed', 'true', 'whatever the token is by then') from c;
select is((select count(*) from battle_files where level > 0), 1::bigint, 'nothing is written twice');
select throws_ok($$select tests.commit(c, null, '{}', 1) from c$$, 'SD409', 'run_finished', 'an ended run commits nothing more');

-- the fence
select tests.upload(1, 100, 'd'), tests.upload(1, 100, 'e');
create temp table c1 as select tests.claim('old') as c;
create temp table o1 as select tests.output(c) as o from c1;
update partitions set lease_expires_at = clock_timestamp() - interval '1 s' where lease_expires_at is not null;
select lives_ok($$select renew_lease((c ->> 'run_id')::uuid, (c ->> 'token')::bigint) from c1$$, 'an expired lease that nobody took is still good');
update partitions set lease_expires_at = clock_timestamp() - interval '1 s' where lease_expires_at is not null;
select expire_leases();
select throws_ok($$select tests.commit(c, o) from c1, o1$$, 'SD409', 'lease_lost', 'once it was taken back nothing can be committed');
create temp table c2 as select tests.claim('new') as c;
select is((select c ->> 'run_id' from c2), (select c ->> 'run_id' from c1), 'the next worker has the same run');
select throws_ok($$select tests.commit(c, o) from c1, o1$$, 'SD409', 'lease_lost', 'the older token commits nothing');
select throws_ok($$select tests.commit(c2.c, o) from c2, o1$$, 'SD500', 'object_missing', 'an output of an older token is not taken over');
create temp table o2 as select tests.output(c) as o from c2;

-- inputs
select throws_ok($$select tests.commit(c, o, tests.ids(c) || 999999::bigint) from c2, o2$$, 'SD409', 'inputs_changed', 'an unknown input is refused');
select throws_ok($$select tests.commit(c, o, tests.ids(c) || tests.ids(c)) from c2, o2$$, 'SD409', 'inputs_changed', 'an input counts once');
select throws_ok($$select tests.commit(c2.c, o, tests.ids(c2.c) || (select min(id) from battle_files)) from c2, o2$$, 'SD409', 'inputs_changed', 'an input that has left is refused');
select throws_ok($$select tests.commit(c, o || '{"row_count": 1}') from c2, o2$$, 'SD500', 'merge_rows_differ', 'an output with fewer rows is refused');
select throws_ok($$select tests.commit(c, null) from c2$$, 'SD500', 'merge_rows_differ', 'rows can''t leave without an output');
select throws_ok($$select tests.commit(c, o, '{}') from c2, o2$$, 'SD400', 'invalid_request', 'an output has inputs');
select throws_ok($$select tests.commit(c, o, p_n => 1) from c2, o2$$, 'SD400', 'invalid_request', 'commits are numbered one by one');
select throws_ok($$select tests.commit(c, null, '{}', p_last => false) from c2$$, 'SD400', 'invalid_request', 'an empty commit is a last one');
select is((select count(*) from run_commits), 1::bigint, 'a refused commit leaves nothing');
select is((select version from datasets where id = tests.u(100)), 6::bigint, 'no version either');

-- two outputs in one run; attempts
select is((select attempts from processing_metrics r, c2 where r.id = (c ->> 'run_id')::uuid), 2, 'this is the second attempt');
update partitions set lease_expires_at = clock_timestamp() + interval '5 s' where lease_expires_at is not null;
create temp table ids as select tests.ids(c) as ids, tests.rows(c) as rows from c2;
create temp table two as select tests.commit(c, o || '{"row_count": 70}', ids[1:2], p_last => false) as a from c2, o2, ids;
select is((select a ->> 'run_status' from two), 'running', 'a commit that is not the last leaves the run running');
select ok((tests.partition(100)).lease_expires_at > clock_timestamp() + interval '200 s', 'and renews the lease');
select is((select attempts from processing_metrics r, c2 where r.id = (c ->> 'run_id')::uuid), 0, 'a committed output resets the attempts');
select is(tests.messages(), 1::bigint, 'the message stays');
create temp table three as select tests.commit(c, null, '{}', p_n => 1, p_result => '{"decision": "the rest waits", "debt": {"files": 1, "bytes": 100}, "next_due_at": null}') as a from c2;
select is((select a -> 'version' from three), 'null', 'a decision without an output makes no version');
select is((select a -> 'requeued' from three), 'true', 'debt that is due at once is sent at once, after progress');
select is((tests.partition(100)).debt_files, 1::bigint, 'the planner''s debt is taken over');

-- nothing done: not again at once
create temp table c3 as select tests.claim() as c;
select is(tests.commit(c, null, '{}', p_result => '{"decision": "below min inputs", "debt": {"files": 1, "bytes": 100}, "next_due_at": null}') -> 'requeued', 'false', 'a run that changed nothing is not repeated at once') from c3;
select ok((tests.partition(100)).due_at > clock_timestamp() + interval '200 s', 'but after a while');
select is((select status from processing_metrics r, c3 where r.id = (c ->> 'run_id')::uuid), 'success', 'it is a success all the same');

-- demand that came meanwhile
select tests.upload(1, 100, 'f');
create temp table c4 as select tests.claim() as c;
create temp table o4 as select tests.output(c) as o from c4;
create temp table g as select tests.upload(1, 100, 'g') as a;
select isnt((select a ->> 'metricId' from g), (select c ->> 'run_id' from c4), 'an upload during a run gets the next run''s id');
select is(tests.commit(c, o) -> 'requeued', 'true', 'the commit finds that the demand has moved') from c4, o4;
select is((tests.partition(100)).run_id::text, (select a ->> 'metricId' from g), 'and the next run is live');
select is((tests.partition(100)).debt_files, 1::bigint, 'with the debt of that upload alone');
select is((tests.partition(100)).next_run_id, null, 'nothing waits behind it');
select is(tests.messages(), 1::bigint, 'one message');
create temp table c5 as select tests.claim() as c;
select is((select jsonb_array_length(c -> 'files') from c5), 2, 'it sees the output and the new file');

-- a follow-up that was seen after all
select tests.upload(1, 100, 'h');
create temp table n5 as select (tests.partition(100)).next_run_id as id;
select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'store_failed', 'no', 'merge', false) from c5;
create temp table c6 as select tests.claim() as c;
select is(tests.compact(c) -> 'requeued', 'false', 'a retry that was claimed after the upload has seen it') from c6;
select is((select (status, output ->> 'joined') from processing_metrics r, n5 where r.id = n5.id), (select row('success'::text, c ->> 'run_id') from c6), 'so the run behind it ends with it');

-- files without rows may leave without an output
select tests.upload(1, 300, 'z', p_rows => 0);
create temp table c9 as select tests.claim('w', 300) as c;
select is(tests.commit(c, null) -> 'version', '2', 'files without rows leave without an output') from c9;
select is((select count(*) from battle_files where dataset_id = tests.u(300) and removed_version is null), 0::bigint, 'nothing is visible then');

select * from finish();
rollback;
