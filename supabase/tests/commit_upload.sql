begin;
\ir helpers/fixtures.sql
select plan(43);
set local role service_role;

-- one body, three slices, two tables
create temp table st as select tests.stage(1, 100, 'body', p_size => 300, p_kind => 'concatenated') as s;
create temp table a as select tests.commit_stage((select s from st), 1, 'body', jsonb_build_array(
  tests.file('port', '2024-11-25', 10, 0, 100, 0), tests.file('ship', '2024-11-25', 20, 100, 100, 1),
  tests.file('port', '2024-11-25', 30, 200, 100, 2)), 300) as a;

select is((select a ->> 'key' from a), (select s ->> 'object_key' from st), 'the answer names the key');
select is((select a -> 'duplicate' from a), 'false', 'a first commit is no duplicate');
select is((select count(*) from a, battle_files f where f.object_key = a ->> 'key'), 3::bigint, 'two slices of one table in one body are two files');
select is((select jsonb_array_length(a -> 'runs') from a), 2, 'each partition has a run');
select is((select a ->> 'metricId' from a), (select r ->> 'metricId' from a, jsonb_array_elements(a -> 'runs') r where r ->> 'table' = 'port'),
  'metricId is the run of the partition that was named');
select is((select state from objects o, st where o.object_key = s ->> 'object_key'), 'stored', 'the object is stored');
select is((select array_agg(seq_min order by ordinal) from battle_files where "table" = 'port'), '{1,2}'::bigint[], 'files are numbered in upload order');
select is((select version from datasets where id = tests.u(100)), 1::bigint, 'one commit, one version');
select is((select count(*) from dataset_versions where dataset_id = tests.u(100)), 1::bigint, 'recorded with its time');
select is((select distinct added_version from battle_files), 1::bigint, 'at which all slices appear');
select is((tests.partition(100)).debt_files, 2::bigint, 'the debt of a partition counts its files');
select is((tests.partition(100)).debt_bytes, 200::bigint, 'and their bytes');
select ok((tests.partition(100)).debt_oldest is not null, 'and says since when');
select is((tests.partition(100)).demand_seq, 1::bigint, 'one upload raises the demand once');
select is(tests.messages(), 2::bigint, 'each partition has one message');
select is((tests.partition(100)).queue, 'realtime', 'of the realtime queue');
select ok((tests.partition(100)).ready_at > clock_timestamp(), 'which waits a little, so that bursts coalesce');
select is((select array_agg(run_status(tests.u(1), p.run_id) ->> 'status') from partitions p), '{queued,queued}', 'and a queued run, which gets its row with the claim');
select is((select (row_count, file_size_bytes, file_count) from datasets where id = tests.u(100)), row(60::bigint, 300::bigint, 3::bigint), 'the dataset''s totals follow');
select is((select m.message ->> 'metricId' from sediment.queue_messages m, partitions p where p.msg_id = m.msg_id and p.queue = m.queue and p."table" = 'ship'),
  (tests.partition(100, 'ship')).run_id::text, 'the message names the run');
select bag_eq($$select jsonb_object_keys(m.message) from sediment.queue_messages m where m.message ->> 'table' = 'ship'$$,
  array['datasetId', 'triggeredAt', 'priority', 'metricId', 'table', 'periodTag'], 'and has the one shape of all producers');

-- again
create temp table a2 as select tests.commit_stage((select s from st), 1, 'body', '[]', 300) as a;
select is((select a - 'duplicate' from a2), (select a - 'duplicate' from a), 'the lost answer can be asked again');
select is((select a -> 'duplicate' from a2), 'true', 'and says that it is one');
select is((select count(*) from battle_files), 3::bigint, 'nothing is stored twice');

create temp table st3 as select tests.stage(1, 100, 'body', p_size => 300, p_kind => 'concatenated') as s;
create temp table a3 as select tests.commit_stage((select s from st3), 1, 'body', jsonb_build_array(tests.file('port', '2024-11-25', 1)), 300) as a;
select is((select a ->> 'key' from a3), (select a ->> 'key' from a), 'a second stage of the same body gets the first answer');
select is((select state from objects o, st3 where o.object_key = s ->> 'object_key'), 'deleting', 'and its own object is to be deleted');
select is(tests.commit_stage((select s from st3), 1, 'body', '[]', 300) -> 'duplicate', 'true', 'even when that is asked again');
select is((tests.partition(100)).demand_seq, 1::bigint, 'a duplicate raises no demand');

-- joins
select is(tests.upload(1, 100, 'more') ->> 'metricId', (select a ->> 'metricId' from a), 'a later upload joins the live message''s run');
select is(tests.messages(), 2::bigint, 'and sends none');
select is((tests.partition(100)).demand_seq, 2::bigint, 'but raises the demand');
select is((select max(seq_max) from battle_files where "table" = 'port'), 3::bigint, 'the upload order goes on');

-- refusals
create temp table st4 as select tests.stage(1, 100, 'bad') as s;
select throws_ok($$select commit_upload(tests.u(9), tests.u(1), 100, 'e', tests.hash('bad'), '[]')$$, 'SD410', 'stage_expired', 'an unknown stage has expired');
select throws_ok($$select tests.commit_stage((select s from st4), 2, 'bad', '[]')$$, 'SD403', 'forbidden', 'another user''s stage is refused');
select throws_ok($$select tests.commit_stage((select s from st4), 1, 'other', '[]')$$, 'SD422', 'hash_mismatch', 'other bytes are refused');
select throws_ok($$select tests.commit_stage((select s from st4), 1, 'bad', '[]', 99)$$, 'SD422', 'size_mismatch', 'another size is refused');
select throws_ok($$select tests.commit_stage((select s from st4), 1, 'bad', '[]')$$, 'SD400', 'invalid_request', 'an upload without data files is refused');
select throws_ok($$select tests.commit_stage((select s from st4), 1, 'bad', jsonb_build_array(tests.file('port', '0', 1, 50, 51)))$$, 'SD400', 'invalid_request', 'a slice past the end is refused');
select matches(group_upload_calls('[]', jsonb_build_array(jsonb_build_object('p_stage', s ->> 'stage_id', 'p_user', tests.u(1), 'p_size', 100, 'p_content_hash', tests.hash('bad'), 'p_files', jsonb_build_array(tests.file('z', '0', 1, 60, 51, 1), tests.file('y', '0', 1, 50, 51, 0), tests.file('a', '0', 1, 70, 51, 2))))) #>> '{commits,0,error,details}', '^data file 0 ', 'of several wrong slices the first one is named') from st4;
select is((select count(*) from uploads where content_hash = tests.hash('bad')), 0::bigint, 'a refused commit leaves nothing in the ledger');
update objects set state = 'deleting', delete_after = now() where stage_id = (select (s ->> 'stage_id')::uuid from st4);
select throws_ok($$select tests.commit_stage((select s from st4), 1, 'bad', jsonb_build_array(tests.file('port', '0', 1)))$$, 'SD410', 'stage_expired', 'a swept stage has expired');
create temp table st5 as select tests.stage(1, 100, 'body2', p_digest => 'one') as s union all select tests.stage(1, 100, 'body2', p_digest => 'two');
select throws_ok($$select tests.commit_stage(s, 1, 'body2', jsonb_build_array(tests.file('port', '0', 1))) from st5$$, 'SD422', 'upload_conflict', 'of two stages with other offsets only one is acknowledged');

-- what a body costs goes with its slices, not with their square: that would be minutes
create temp table many as select tests.stage(1, 100, 'many', p_size => 50000, p_kind => 'concatenated') as s;
set local statement_timeout = '30s';
select is((select jsonb_array_length(tests.commit_stage(s, 1, 'many', (
  select jsonb_agg(tests.file('t' || i % 100, '0', 1, i * 10, 10, i)) from generate_series(0, 4999) i), 50000) -> 'runs') from many),
  100, 'a body of thousands of slices is committed');

select * from finish();
rollback;
