begin;
\ir helpers/fixtures.sql
select plan(29);

-- calls of a group, of numbers as in tests.stage
create function tests.stage_call(p_user integer, p_dataset integer, p_body text) returns jsonb language sql as $$
  select jsonb_build_object('p_user', tests.u(p_user), 'p_dataset', tests.u(p_dataset), 'p_table', 'port',
    'p_period_tag', '0', 'p_size', 100, 'p_content_hash', tests.hash(p_body), 'p_offsets_digest', '')
$$;
create function tests.commit_call(p_stage jsonb, p_user integer, p_body text, p_files jsonb default null) returns jsonb language sql as $$
  select jsonb_build_object('p_stage', p_stage -> 'answer' -> 'stage_id', 'p_user', tests.u(p_user), 'p_size', 100, 'p_etag', 'e',
    'p_content_hash', tests.hash(p_body), 'p_files', coalesce(p_files, jsonb_build_array(tests.file('port', '0', 10))))
$$;

insert into datasets (id, user_id) values (tests.u(100), tests.u(1));
set local role service_role;
create temp table g as select group_upload_calls(jsonb_build_array(
  tests.stage_call(1, 100, 'a'), tests.stage_call(2, 100, 'b'), tests.stage_call(2, 200, 'c'),
  tests.stage_call(1, 100, 'x') || '{"p_table": "../x"}', tests.stage_call(1, 100, 'd'), tests.stage_call(1, 100, 'e')),
  '[]') -> 'stages' as g;
select is((select jsonb_array_length(g) from g), 6, 'each call has its outcome, in order');
select matches((select g -> 0 -> 'answer' ->> 'object_key' from g), '/port/0/[0-9a-f-]{36}\.parquet$', 'a stage answers as it does alone');
select is((select (g -> 1 -> 'error') - 'hint' from g), jsonb_build_object('code', 'SD403', 'message', 'dataset_forbidden',
  'details', format('dataset %s belongs to another user', tests.u(100))), 'an error has the fields that it has alone');
select is((select g -> 2 -> 'answer' -> 'duplicate' from g), 'false', 'and takes back no other call');
select is((select g -> 3 -> 'error' ->> 'message' from g), 'invalid_name', 'each call has its own error');
select is((select count(*) from objects where state = 'staged'), 4::bigint, 'the good ones are planned');
select is((select count(distinct v -> 'answer' -> 'stage_id') from g, jsonb_array_elements(g) v), 4::bigint, 'each under a stage of its own');

create temp table c as select group_upload_calls(jsonb_build_array(tests.stage_call(1, 100, 'a')), jsonb_build_array(
  tests.commit_call(g -> 0, 1, 'a'), tests.commit_call(g -> 2, 1, 'c'), tests.commit_call(g -> 4, 1, 'x'),
  tests.commit_call(g -> 4, 1, 'd', jsonb_build_array(tests.file('port', '0', 1), tests.file('port', '0', 2, 50, 10, 1), tests.file('ship', '0', 3, 60, 10, 2))),
  tests.commit_call(g -> 5, 1, 'e', jsonb_build_array(tests.file('port', '0', 1, 50, 51))),
  tests.commit_call(g -> 0, 1, 'a'))) as c from g;
select is((select c -> 'commits' -> 0 -> 'answer' -> 'version' from c), '1', 'a commit answers as it does alone');
select is((select c -> 'commits' -> 1 -> 'error' ->> 'message' from c), 'forbidden', 'another user''s stage is refused');
select is((select c -> 'commits' -> 2 -> 'error' ->> 'message' from c), 'hash_mismatch', 'so are other bytes');
select is((select c -> 'commits' -> 3 from c), '{"busy": true}', 'a second call of one stage is to be made again');
select is((select c -> 'commits' -> 4 -> 'error' ->> 'message' from c), 'invalid_request', 'a file past the end is its own call''s error');
select is((select c -> 'commits' -> 5 from c), '{"busy": true}', 'a replay within the group too');
select is((select c -> 'stages' -> 0 -> 'answer' -> 'answer' ->> 'key' from c), (select c -> 'commits' -> 0 -> 'answer' ->> 'key' from c),
  'a stage beside the commit of the same body knows its answer');

create temp table c2 as select group_upload_calls('[]', jsonb_build_array(
  tests.commit_call(g -> 4, 1, 'd', jsonb_build_array(tests.file('port', '0', 1, 50, 10, 1), tests.file('ship', '0', 3, 60, 10, 2), tests.file('port', '0', 2))),
  tests.commit_call(g -> 0, 1, 'a'), tests.commit_call(g -> 2, 2, 'c'), tests.commit_call(g -> 5, 1, 'e'))) -> 'commits' as c from g;
select is((select array_agg(v -> 'answer' -> 'version' order by n) from c2, jsonb_array_elements(c) with ordinality as t(v, n)),
  array['2', '1', '1', '2']::jsonb[], 'the uploads of a dataset that are committed together share a version');
select is((select c -> 1 -> 'answer' -> 'duplicate' from c2), 'true', 'a replay has the first answer');
select is((select array_agg(s."table" order by s.ordinal) from c2, uploads u, sediment.upload_slices(u) s where sediment.upload_key(u) = c -> 0 -> 'answer' ->> 'key'), '{port,port,ship}', 'the ledger has the slices in the order of the body');
select is((select jsonb_path_query_array(c, '$[0].answer.runs[*].table') from c2), '["port", "ship"]', 'its runs in that of the partitions');
select is((select array_agg(seq_min order by seq_min) from battle_files where dataset_id = tests.u(100) and "table" = 'port'),
  '{1,2,3,4}'::bigint[], 'the upload order goes on over all of them');
select is((select count(*) from pgmq.q_compaction_realtime), 3::bigint, 'one message a partition');
select is((select (debt_files, demand_seq) from partitions where dataset_id = tests.u(100) and "table" = 'port'), row(4::bigint, 3::bigint), 'debt by files, demand by uploads');
select is((select (file_count, row_count, version) from datasets where id = tests.u(100)), row(5::bigint, 26::bigint, 2::bigint), 'the totals follow');

-- limits hold within a group
insert into user_limits (user_id, stored_bytes_max, uploads_per_minute) values (tests.u(3), 250, 4);
create temp table q as select group_upload_calls((select jsonb_agg(tests.stage_call(3, 300, 'q' || i)) from generate_series(1, 5) i), '[]') -> 'stages' as g;
select is((select array_agg(v -> 'error' ->> 'message' order by n) from q, jsonb_array_elements(g) with ordinality as t(v, n)),
  array[null, null, null, null, 'rate_limited'], 'as many stages as allowed');
select is((select count(*) from datasets where id = tests.u(300)), 0::bigint, 'and none of them keeps a dataset');
create temp table q2 as select group_upload_calls('[]', (select jsonb_agg(tests.commit_call(g -> (i - 1), 3, 'q' || i)) from generate_series(1, 4) i)) -> 'commits' as g from q;
select is((select array_agg(v -> 'error' ->> 'message' order by n) from q2, jsonb_array_elements(g) with ordinality as t(v, n)),
  array[null, null, 'quota_exceeded', 'quota_exceeded'], 'and as many bytes');
select is((select count(*) from uploads where user_id = tests.u(3)), 2::bigint, 'what is refused is not in the ledger');

select throws_ok($$select group_upload_calls('[{"p_user": "nobody"}]', '[]')$$, '22P02', null, 'what can not be read is nobody''s own error: nothing is done');
select is(group_upload_calls('[]', '[]'), '{"stages": [], "commits": []}', 'no calls, no outcomes');
select throws_ok($$select group_upload_calls((select jsonb_agg('{}'::jsonb) from generate_series(1, 101)), '[]')$$, 'SD400',
  'invalid_request', 'a group is bounded');

select * from finish();
rollback;
