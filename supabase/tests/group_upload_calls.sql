begin;
\ir helpers/fixtures.sql
select plan(20);

-- a call of a group, of numbers as in tests.stage
create function tests.stage_call(p_user integer, p_dataset integer, p_body text) returns jsonb language sql as $$
  select jsonb_build_object('call', 'stage_upload', 'p_user', tests.u(p_user), 'p_dataset', tests.u(p_dataset), 'p_table', 'port',
    'p_period_tag', '0', 'p_size', 100, 'p_content_hash', tests.hash(p_body), 'p_offsets_digest', '')
$$;
create function tests.commit_call(p_stage uuid, p_user integer, p_body text) returns jsonb language sql as $$
  select jsonb_build_object('call', 'commit_upload', 'p_stage', p_stage, 'p_user', tests.u(p_user), 'p_size', 100, 'p_etag', 'e',
    'p_content_hash', tests.hash(p_body), 'p_files', jsonb_build_array(tests.file('port', '0', 10)))
$$;

set local role service_role;
create temp table g as select group_upload_calls(jsonb_build_array(
  tests.stage_call(1, 100, 'a'), tests.stage_call(2, 100, 'b'), tests.stage_call(2, 200, 'c'),
  '{"call": "stage_upload", "p_user": "nobody"}'::jsonb, '{"call": "tick"}'::jsonb, '[]'::jsonb,
  tests.stage_call(1, 100, 'd'))) as g;
select is((select jsonb_array_length(g) from g), 7, 'each call has its outcome, in order');
select matches((select g -> 0 -> 'answer' ->> 'object_key' from g), '/port/0/[0-9a-f-]{36}\.parquet$', 'a stage answers as it does alone');
select is((select (g -> 1 -> 'error') - 'hint' from g), jsonb_build_object('code', 'SD403', 'message', 'dataset_forbidden',
  'details', format('dataset %s belongs to another user', tests.u(100))), 'an error has the fields that it has alone');
select is((select g -> 2 -> 'answer' -> 'duplicate' from g), 'false', 'and takes back no other call');
select is((select g -> 3 -> 'error' ->> 'code' from g), '22P02', 'a value that can not be read is an error of its own call');
select is((select g -> 4 -> 'error' ->> 'message' from g), 'invalid_request', 'no other function can be called');
select is((select g -> 5 -> 'error' ->> 'message' from g), 'invalid_request', 'a call that is no object is an error');
select is((select count(*) from objects where state = 'staged'), 3::bigint, 'the good ones are planned');

create temp table c as select group_upload_calls(jsonb_build_array(
  tests.commit_call((g -> 0 -> 'answer' ->> 'stage_id')::uuid, 1, 'a'),
  tests.commit_call((g -> 2 -> 'answer' ->> 'stage_id')::uuid, 1, 'c'),
  tests.commit_call((g -> 2 -> 'answer' ->> 'stage_id')::uuid, 2, 'x'),
  tests.commit_call((g -> 2 -> 'answer' ->> 'stage_id')::uuid, 2, 'c'),
  tests.commit_call((g -> 6 -> 'answer' ->> 'stage_id')::uuid, 1, 'd'),
  tests.stage_call(1, 100, 'a'),
  tests.commit_call((g -> 0 -> 'answer' ->> 'stage_id')::uuid, 1, 'a'))) as c from g;
select is((select c -> 0 -> 'answer' -> 'version' from c), '1', 'a commit answers as it does alone');
select is((select c -> 1 -> 'error' ->> 'message' from c), 'forbidden', 'another user''s stage is refused');
select is((select c -> 2 -> 'error' ->> 'message' from c), 'hash_mismatch', 'so are other bytes');
select is((select c -> 3 -> 'answer' ->> 'dataset_id' from c), tests.u(200)::text, 'what was refused before is not spent');
select is((select c -> 4 -> 'answer' -> 'version' from c), '2', 'two commits of a dataset are two versions');
select is((select c -> 5 -> 'answer' -> 'answer' ->> 'key' from c), (select c -> 0 -> 'answer' ->> 'key' from c),
  'a stage after the commit of the same body knows its answer');
select is((select c -> 6 -> 'answer' -> 'duplicate' from c), 'true', 'a commit is replayed within its group');
select is((select count(*) from battle_files), 3::bigint, 'three data files');
select is((select count(*) from pgmq.q_compaction_realtime), 2::bigint, 'one message a partition');
select is((select sum(debt_files) from partitions), 3::numeric, 'and their debt');

select is(group_upload_calls('[]'), '[]', 'no calls, no outcomes');
select throws_ok($$select group_upload_calls((select jsonb_agg('{}'::jsonb) from generate_series(1, 101)))$$, 'SD400',
  'invalid_request', 'a group is bounded');

select * from finish();
rollback;
