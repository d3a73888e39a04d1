-- Healing: bytes that come again go behind the rows that an upload has; nothing else ever adds or revives a row.
begin;
\ir helpers/fixtures.sql
select plan(36);
set local role service_role;

-- the second look
select tests.upload(1, 100, 'a'), tests.upload(1, 100, 'b');
create temp table c as select tests.claim() as c;
create temp table k as select (c ->> 'run_id')::uuid as run, (c ->> 'token')::bigint as token, tests.ids(c) as ids,
  c #>> '{files,0,object_key}' as key from c;
select is(quarantine_file(run, token, ids[1], 'object_missing', '404', key) - 'look_again_at', jsonb_build_object('file_id', ids[1], 'state', 'active', 'changed', true), 'bytes that are gone are noted') from k;
select is(quarantine_file(run, token, ids[1], 'object_missing', '404', key) ->> 'changed', 'false', 'once') from k;
select is((select state from battle_files f, k where f.id = ids[1]), 'active', 'and the file is not set aside yet');
select is((list_fragments(run, token, null) #>> '{files,0,state}'), 'quarantined', 'but left out of plans until the second look') from k;
select throws_ok($$select quarantine_file(run, token, ids[1], 'object_missing', '404', 'elsewhere') from k$$, 'SD409', 'inputs_changed', 'who looked elsewhere says nothing of it');
select is((select tests.commit(c, null, '{}', 0, true, '{"decision": "waits"}') ->> 'run_status' from c), 'success', 'the run goes on without it');
select ok((tests.partition(100)).due_at <= clock_timestamp() + interval '301 s', 'and the partition is due again');
update battle_files f set lost_since = clock_timestamp() - interval '3 min' from k where f.id = ids[1];
select request_compaction(tests.u(1), tests.u(100), 'port', '2024-11-25');
create temp table c2 as select tests.claim() as c;
select is((select quarantine_file((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, ids[1], 'object_missing', 'still 404', key) ->> 'state' from c2, k), 'quarantined', 'what is still gone minutes later is set aside');
select is((select quarantine_file((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, ids[2], 'invalid_parquet', 'broken') ->> 'state' from c2, k), 'quarantined', 'what is broken is, at once');

-- sent again
create temp table s as select tests.stage(1, 100, 'a') as s;
select is((select s ->> 'duplicate' from s), 'false', 'step 1 leaves out that it is stored');
select is((select s -> 'answer' from s), 'null', 'and the first answer');
create temp table before as select * from battle_files;
create temp table totals as select d.version, d.file_count, d.row_count from datasets d where d.id = tests.u(100);
create temp table h as select tests.commit_stage(s, 1, 'a', jsonb_build_array(tests.file('port', '2024-11-25', 10) || '{"checksum": "0123456789abcdef"}')) as h from s;
select is((select (h ->> 'duplicate', h ->> 'healed') from h), row('true'::text, 'true'::text), 'the bytes heal it');
select is((select (f.id, f.object_key, f.state, f.lost_since, f.quarantine_code, f.checksum) from battle_files f, k where f.id = ids[1]),
  (select row(ids[1], s ->> 'object_key', 'active'::text, null::timestamptz, null::text, '0123456789abcdef'::text) from k, s), 'behind the row that was there');
select is((select count(*) from battle_files), (select count(*) from before), 'no row is added');
select is((select (d.version, d.file_count, d.row_count) from datasets d where d.id = tests.u(100)), (select row(t.*) from totals t), 'no version, and no row more');
select is((select state from objects o, s where o.object_key = s ->> 'object_key'), 'stored', 'the new object is stored');
select is((select state from objects o, k where o.object_key = key), 'deleting', 'the old key goes');
select is((select quarantine_code from battle_files f, k where f.id = ids[2]), 'invalid_parquet', 'another quarantine stays');
select ok((tests.partition(100)).next_run_id is not null, 'and the partition is compacted again');
-- the worker that read the old object
select throws_ok($$select commit_compaction((c ->> 'run_id')::uuid, 0, (c ->> 'token')::bigint, array[ids[1]], o || '{"row_count": 10}', true, '{}', array[key])
  from (select c, tests.output(c) as o from c2) x, k$$, 'SD409', 'inputs_changed', 'a merge of the old bytes can''t commit');
select lives_ok($$select commit_compaction((c ->> 'run_id')::uuid, 0, (c ->> 'token')::bigint, array[ids[1]], o || '{"row_count": 10}', true, '{}', array[s ->> 'object_key'])
  from (select c, tests.output(c) as o from c2) x, k, s$$, 'one of the new bytes can');

-- merged and vacuumed is every upload's normal end
select is(tests.stage(1, 100, 'a') ->> 'duplicate', 'true', 'what was merged is a plain duplicate');
select is((tests.upload(1, 100, 'a')) ->> 'healed', null, 'and heals nothing');
update battle_files set lost_since = clock_timestamp() where level = 1;
select is(tests.stage(1, 100, 'a') ->> 'duplicate', 'true', 'also when the output is lost: no upload heals it');
update battle_files set lost_since = null;

-- a body of two tables, one of them merged: only the row that is left gets its bytes
create temp table s2 as select tests.stage(1, 200, 'two', 'x', 'p', 200, 'd', 'concatenated') as s;
select tests.commit_stage(s, 1, 'two', jsonb_build_array(tests.file('x', 'p', 10, 0, 100, 0), tests.file('y', 'p', 5, 100, 100, 1)), 200) from s2;
update battle_files set lost_since = clock_timestamp() - interval '1 h' where "table" = 'y';
create temp table s3 as select tests.stage(1, 200, 'two', 'x', 'p', 200, 'd', 'concatenated') as s;
create temp table h2 as select tests.commit_stage(s, 1, 'two', jsonb_build_array(tests.file('x', 'p', 10, 0, 100, 0), tests.file('y', 'p', 5, 100, 100, 1)), 200) as h from s3;
select is((select h ->> 'healed' from h2), 'true', 'a body of two tables heals');
select is((select count(*) from battle_files f, s3 where f.object_key = s ->> 'object_key'), 2::bigint, 'both its rows move: they are of one object');

-- other rows than there were
update battle_files set lost_since = clock_timestamp() where "table" = 'x';
create temp table s4 as select tests.stage(1, 200, 'two', 'x', 'p', 200, 'd', 'concatenated') as s;
select is((tests.commit_stage(s, 1, 'two', jsonb_build_array(tests.file('x', 'p', 11, 0, 100, 0), tests.file('y', 'p', 5, 100, 100, 1)), 200)) ->> 'healed', null, 'what does not fit its rows heals nothing') from s4;
select is((select state from objects o, s4 where o.object_key = s ->> 'object_key'), 'deleting', 'and leaves no object');
-- without bytes
create temp table s5 as select tests.stage(1, 200, 'two', 'x', 'p', 200, 'd', 'concatenated') as s;
select is(commit_upload((s ->> 'stage_id')::uuid, tests.u(1), 200, null, tests.hash('two'), jsonb_build_array(tests.file('x', 'p', 10, 0, 100, 0), tests.file('y', 'p', 5, 100, 100, 1))) ->> 'healed', null, 'nor does who put none') from s5;
-- Avro converted anew: other lengths, the totals follow
create temp table size_before as select file_size_bytes as b from datasets where id = tests.u(200);
create temp table s6 as select tests.stage(1, 200, 'two', 'x', 'p', 200, 'd', 'concatenated') as s;
select is(commit_upload((s ->> 'stage_id')::uuid, tests.u(1), 200, '', tests.hash('two'), jsonb_build_array(tests.file('x', 'p', 10, 0, 120, 0), tests.file('y', 'p', 5, 120, 130, 1)), 250) ->> 'healed', 'true', 'a body that is converted anew may differ in length, and its store may tell no ETag') from s6;
select is((select file_size_bytes - b from datasets, size_before where id = tests.u(200)), 50::bigint, 'and the totals follow');
select is((select (start_byte, byte_length) from battle_files where "table" = 'y'), row(120::bigint, 130::bigint), 'with the offsets');

-- many within a window: it is the store
select tests.upload(1, 300, 'm' || i) from generate_series(1, 12) i;
create temp table c3 as select tests.claim('w', 300) as c;
select is((select count(*) from c3, generate_series(1, 10) i where quarantine_file((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, (tests.ids(c))[i], 'object_missing', '404') ->> 'changed' = 'true'), 10::bigint, 'ten may be missed');
select throws_ok($$select quarantine_file((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, (tests.ids(c))[11], 'object_missing', '404') from c3$$, 'SD503', 'store_failed', 'when many are it is rather the store');
select is(retry_quarantined(tests.u(1), tests.u(100)) -> 'files', (select jsonb_build_array(ids[2]) from k), 'a retry by hand forgets what was noted');
select is((select lost_since from battle_files f, k where f.id = ids[2]), null, 'of the file');

select * from finish();
rollback;
