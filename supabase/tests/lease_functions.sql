-- renew_lease, record_step, quarantine_file, set_apart
begin;
\ir helpers/fixtures.sql
select plan(32);
set local role service_role;

select tests.upload(1, 100, 'a'), tests.upload(1, 100, 'b'), tests.upload(2, 200, 'x');
create temp table c as select tests.claim() as c;
create temp view k as select (c ->> 'run_id')::uuid as run, (c ->> 'token')::bigint as token, tests.ids(c) as ids, c ->> 'dataset_id' as dataset from c;
grant select on k to service_role;

select ok((renew_lease(run, token, 600) ->> 'lease_expires_at')::timestamptz > clock_timestamp() + interval '590 s', 'a lease is extended') from k;
select ok((select bool_and(m.vt >= p.lease_expires_at) from sediment.queue_messages m join partitions p on p.msg_id = m.msg_id and p.queue = m.queue where p.lease_expires_at is not null), 'with the message''s vt');
select throws_ok($$select renew_lease(run, token + 1) from k$$, 'SD409', 'lease_lost', 'by its holder only');
select throws_ok($$select renew_lease(run, token, 0) from k$$, 'SD400', 'invalid_request', 'by some seconds');
select throws_ok($$select renew_lease(tests.u(1), 1)$$, 'SD404', 'run_not_found', 'of a known run');
update partitions set claimed_at = clock_timestamp() - interval '3590 s' where lease_expires_at is not null;
select ok((renew_lease(run, token, 300) ->> 'lease_expires_at')::timestamptz < clock_timestamp() + interval '11 s', 'never past the hard limit') from k;
update partitions set claimed_at = clock_timestamp() - interval '3601 s' where lease_expires_at is not null;
select throws_ok($$select renew_lease(run, token) from k$$, 'SD504', 'run_timeout', 'after which the run is over');

select is(record_step(run, token, 'merge') ->> 'step', 'merge', 'a step that begins is named') from k;
select is((select step from processing_metrics r, k where r.id = run), 'merge', 'in the run');
select is(record_step(run, token, 'list-fragments', '{"found": 2}', '{"files_done": 1, "files": 2}') ->> 'step', 'list-fragments', 'a result is kept') from k;
select is((select steps from processing_metrics r, k where r.id = run), '{"list-fragments": {"found": 2}}', 'under its step');
select is((select progress from processing_metrics r, k where r.id = run), '{"files": 2, "files_done": 1}', 'with the progress');
select record_step(run, token, 'merge', '[1]') from k;
select is((select steps from processing_metrics r, k where r.id = run), '{"merge": [1], "list-fragments": {"found": 2}}', 'beside the others');
select throws_ok($$select record_step(run, token - 1, 'merge') from k$$, 'SD409', 'lease_lost', 'an older token records nothing');
select throws_ok($$select record_step(run, token, 'No Such Step!') from k$$, 'SD400', 'invalid_request', 'a step is a word');

select is(quarantine_file(run, token, ids[1], 'invalid_parquet', 'the footer is broken'), jsonb_build_object('file_id', ids[1], 'state', 'quarantined', 'changed', true, 'look_again_at', null), 'a bad file is set aside') from k;
select is((select (state, quarantine_code, quarantine_reason, removed_version) from battle_files f, k where f.id = ids[1]),
  row('quarantined'::text, 'invalid_parquet'::text, 'the footer is broken'::text, null::bigint), 'with the reason, and stays visible');
select is(quarantine_file(run, token, ids[1], 'x', 'y') -> 'changed', 'false', 'a second time changes nothing') from k;
select is((select files_quarantined from processing_metrics r, k where r.id = run), 1, 'the run counts it once');
select throws_ok($$select quarantine_file(run, token, (select max(id) from battle_files where dataset_id::text <> dataset), 'x', 'y') from k$$, 'SD409', 'inputs_changed', 'a file of another partition is refused');
select throws_ok($$select quarantine_file(run, token + 1, ids[1], 'x', 'y') from k$$, 'SD409', 'lease_lost', 'another token sets nothing aside');
create temp view mark as select jsonb_build_array(jsonb_build_object('id', f.id, 'object_key', f.object_key, 'kind', 'values', 'reason', 'it does not fit')) as files from battle_files f, k where f.id = k.ids[2];
grant select on mark to service_role;
select is(set_apart(run, token, files, 4), '{"changed": 1}', 'a sound file that has no place beside others is marked') from k, mark;
select is(set_apart(run, token, files, 4), '{"changed": 0}', 'once a planner') from k, mark;
select is((select (f.state, f.apart) from battle_files f where f.id = k.ids[2]), row('active'::text, '{"kind": "values", "reason": "it does not fit", "planner": 4}'::jsonb), 'with the reason, and stays sound') from k;
select is(set_apart(run, token, jsonb_set(files, '{0,object_key}', '"elsewhere"'), 5), '{"changed": 0}', 'who read it elsewhere says nothing of it') from k, mark;
select throws_ok($$select set_apart(run, token + 1, files, 4) from k, mark$$, 'SD409', 'lease_lost', 'another token marks nothing');
select throws_ok($$select set_apart(run, token, '[{"id": 1}]', 4) from k$$, 'SD400', 'invalid_request', 'a mark has a kind and a reason');
select throws_ok($$select tests.commit(c, tests.output(c)) from c$$, 'SD409', 'inputs_changed', 'a quarantined file is no input');
select is(tests.commit(c, tests.output(c, 0, 10), (tests.ids(c))[2:]) ->> 'run_status', 'success', 'the rest of its partition compacts') from c;

-- back on demand
select is(retry_quarantined(tests.u(1), tests.u(100)) -> 'files', to_jsonb((select ids[1:1] from k)), 'quarantined files are retried on demand');
select is((tests.claim('w1', 100)) -> 'forced', 'true', 'at once');
select throws_ok($$select retry_quarantined(tests.u(2), tests.u(100))$$, 'SD403', 'dataset_forbidden', 'by their owner');

select * from finish();
rollback;
