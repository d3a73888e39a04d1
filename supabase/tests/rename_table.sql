-- rename_table, and the names that uploads and readers go on with; own datasets of second accounts.
begin;
\ir helpers/fixtures.sql
select no_plan();

create function tests.tables_of(p_table text default null) returns text[] language sql as $$
  select coalesce(array_agg(distinct f ->> 'table'), '{}') from jsonb_array_elements(list_files(null, tests.u(100), p_table) -> 'files') f
$$;
create function tests.digest(p_offsets jsonb) returns text language sql as $$
  select encode(sha256(convert_to(replace(p_offsets::text, ', ', ','), 'UTF8')), 'hex')
$$;
create function tests.cut(p_body text, p_offsets jsonb, p_table text) returns jsonb language sql as $$
  select stage_upload(tests.u(1), tests.u(100), p_table, '0', 200, tests.hash(p_body), tests.digest(p_offsets), 'concatenated', p_offsets => p_offsets)
$$;
set local role service_role;

select tests.upload(1, 100, 'a', 'port', '0'), tests.upload(1, 100, 'b', 'ship', '0');
create temp table before as select tests.stage(1, 100, 'late', 'port', '0') as s, tests.stage(1, 100, 'other', 'harbour', '0') as o,
  tests.cut('cut', '[["port", 0, 100, "parquet"], ["ship", 100, 100, "parquet"]]', 'port') as c;
select tests.commit_stage(c, 1, 'cut', jsonb_build_array(tests.file('port', '0', 10), tests.file('ship', '0', 10, 100, 100, 1)), 200) from before;

select throws_ok($$select rename_table(tests.u(2), tests.u(100), 'port', 'harbour')$$, 'SD403', 'dataset_forbidden', 'a stranger renames nothing');
select throws_ok($$select rename_table(tests.u(1), tests.u(100), 'nothing', 'harbour')$$, 'SD404', 'not_found', 'nor anybody what is not there');
select throws_ok($$select rename_table(tests.u(1), tests.u(100), 'port', 'ship')$$, 'SD400', 'invalid_name', 'another table''s name is taken');
select throws_ok($$select rename_table(tests.u(1), tests.u(100), 'port', 'a b')$$, 'SD400', 'invalid_name', 'and what is none');
select is(rename_table(tests.u(1), tests.u(100), 'port', 'harbour') - 'dataset_id', '{"table": "harbour", "aliases": ["port"]}', 'the owner renames');

-- readers
select is(tests.tables_of(), array['harbour', 'ship'], 'readers are told the new name');
select is(tests.tables_of('harbour'), array['harbour'], 'and may ask by it');
select is(tests.tables_of('port'), array['harbour'], 'or by the old one');
select is((select array_agg(p ->> 'table' order by p ->> 'table') from jsonb_array_elements(list_tables(null, tests.u(100)) -> 'partitions') p), array['harbour', 'ship'], 'so in the list of tables');
create temp table pages as select list_files(null, tests.u(100), p_limit => 1) as one;
select is((select count(*) from jsonb_array_elements(list_files(null, tests.u(100), p_limit => 10, p_cursor => one ->> 'next_cursor') -> 'files')), 3::bigint, 'a cursor goes on where it was') from pages;
select is((select get_file(null, id) ->> 'table' from battle_files where "table" = 'port' limit 1), 'harbour', 'a file');
select is((select run_status(null, run_id) ->> 'table' from partitions where "table" = 'port' limit 1), 'harbour', 'a run');
select is(request_compaction(tests.u(1), tests.u(100), 'harbour', '0') ->> 'partitions', '1', 'a run is asked for by the new name');
select is(request_compaction(tests.u(1), tests.u(100), 'port', '0') ->> 'partitions', '1', 'and by the old');

-- uploads
select is(tests.stage(1, 100, 'a', 'port', '0') -> 'duplicate', 'true', 'a late retry under the old name is a duplicate');
select is(tests.stage(1, 100, 'a', 'harbour', '0') -> 'duplicate', 'true', 'and under the new');
select is(tests.upload(1, 100, 'a', 'harbour', '0') -> 'duplicate', 'true', 'also to its end');
select is((select count(*) from battle_files where upload_id is not null), 4::bigint, 'no row is there twice');
select is(tests.commit_stage(s, 1, 'late', jsonb_build_array(tests.file('port', '0', 10))) -> 'duplicate', 'false', 'what was on its way under the old name arrives') from before;
select throws_ok($$select tests.commit_stage(o, 1, 'other', jsonb_build_array(tests.file('harbour', '0', 10))) from before$$, 'SD410', 'stage_expired', 'what was on its way to a table of the new name begins anew');
select is(tests.upload(1, 100, 'other', 'harbour', '0') -> 'duplicate', 'false', 'and is the renamed table''s then');
select is((select array_agg(distinct "table") from partitions where dataset_id = tests.u(100)), array['port', 'ship'], 'there is no second table');
select is(tests.cut('cut', '[["port", 0, 100, "parquet"], ["ship", 100, 100, "parquet"]]', 'port') -> 'duplicate', 'true', 'offsets of the old name are the same upload');
select is(tests.cut('cut', '[["harbour", 0, 100, "parquet"], ["ship", 100, 100, "parquet"]]', 'harbour') -> 'duplicate', 'true', 'those of the new name too');
select throws_ok($$select tests.cut('cut', '[["harbour", 0, 90, "parquet"], ["ship", 100, 100, "parquet"]]', 'harbour')$$, 'SD422', 'upload_conflict', 'other offsets are not');
create temp table c2 as select tests.cut('cut2', '[["harbour", 0, 100, "parquet"], ["ship", 100, 100, "parquet"]]', 'harbour') as s;
select lives_ok($$select tests.commit_stage(s, 1, 'cut2', jsonb_build_array(tests.file('harbour', '0', 10), tests.file('ship', '0', 10, 100, 100, 1)), 200) from c2$$, 'a body under the new name is committed');
select is((select count(*) from battle_files where "table" = 'port' and seq_min = (select max(seq_min) from battle_files where "table" = 'port')), 1::bigint, 'into the table''s own upload order');

-- names again
select throws_ok($$select rename_table(tests.u(1), tests.u(100), 'ship', 'port')$$, 'SD400', 'invalid_name', 'an old name is never another table''s');
select is(rename_table(tests.u(1), tests.u(100), 'harbour', 'dock') -> 'aliases', '["port", "harbour"]', 'renamed twice it has two aliases');
select is(tests.tables_of('harbour'), array['dock'], 'both lead to it');
select is(rename_table(tests.u(1), tests.u(100), 'dock', 'port') ->> 'table', 'port', 'its first name may come back');
select is(rename_table(tests.u(1), tests.u(100), 'dock', 'port') ->> 'table', 'port', 'asked again it answers the same');
select throws_ok($$select rename_table(tests.u(1), tests.u(100), 'ship', 'dock')$$, 'SD400', 'invalid_name', 'what it was called is taken');
select is(delete_data(tests.u(1), tests.u(100), 'dock') ->> 'table', 'port', 'a table is deleted by any of its names');
select is(tests.tables_of(), array['ship'], 'and gone');

-- a second account: the stage says in which dataset
create temp table mine as select stage_upload(tests.u(7), tests.u(100), 'port', '0', 100, tests.hash('m'), '', p_own_dataset => true) as s;
select isnt((select s ->> 'dataset_id' from mine), tests.u(100)::text, 'who may not write gets a dataset of the own');
select matches((select s ->> 'dataset_id' from mine), '^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab]', 'whose id is a UUID of version 8');
select is(tests.commit_stage(s, 7, 'm', jsonb_build_array(tests.file('port', '0', 10))) ->> 'dataset_id', s ->> 'dataset_id', 'and is theirs at the commit') from mine;
select is((select user_id from datasets d, mine where d.id = (s ->> 'dataset_id')::uuid), tests.u(7), 'of nobody else');
select is(stage_upload(tests.u(7), tests.u(100), 'port', '0', 100, tests.hash('m'), '', p_own_dataset => true) -> 'duplicate', 'true', 'the same each time: a retry is a duplicate');
select isnt(stage_upload(tests.u(8), tests.u(100), 'port', '0', 100, tests.hash('m'), '', p_own_dataset => true) ->> 'dataset_id', s ->> 'dataset_id', 'a third account has another') from mine;
select is(stage_upload(tests.u(1), tests.u(100), 'ship', '0', 100, tests.hash('m2'), '', p_own_dataset => true) ->> 'dataset_id', tests.u(100)::text, 'the owner writes where was asked');
select is(stage_upload(tests.u(7), tests.u(300), 'ship', '0', 100, tests.hash('m2'), '', p_own_dataset => true) ->> 'dataset_id', tests.u(300)::text, 'what is nobody''s is taken as it is');
create temp table offered as select invite_member(tests.u(7), (s ->> 'dataset_id')::uuid, 'owner') ->> 'token' as t from mine;
select accept_invitation(tests.u(8), t) from offered;
create temp table next as select stage_upload(tests.u(7), tests.u(100), 'port', '0', 100, tests.hash('m'), '', p_own_dataset => true) as s;
select isnt((select s ->> 'dataset_id' from next), (select s ->> 'dataset_id' from mine), 'one that was handed on is another''s: the next takes its place');
select is((select s -> 'duplicate' from next), 'false', 'where what was sent before is not');
select is(tests.commit_stage(s, 7, 'm', jsonb_build_array(tests.file('port', '0', 10))) ->> 'dataset_id', s ->> 'dataset_id', 'it takes uploads') from next;
select is(stage_upload(tests.u(7), tests.u(100), 'port', '0', 100, tests.hash('m4'), '', p_own_dataset => true) ->> 'dataset_id', s ->> 'dataset_id', 'the same each time again') from next;
select throws_ok($$select tests.stage(7, 100, 'm3')$$, 'SD403', 'dataset_forbidden', 'who does not ask for it is refused');

select * from finish();
rollback;
