-- list_files, version_at, get_file
begin;
\ir helpers/fixtures.sql
select plan(47);
set local role service_role;

insert into datasets (id, user_id) values (tests.u(100), tests.u(1));
select is(tests.stage(1, 100, 'only') ->> 'duplicate', 'false', 'a dataset without a commit');
select is(list_files(tests.u(1), tests.u(100)) - 'dataset_id', '{"version": 0, "committed_at": null, "files": [], "columns": {}, "totals": {"files": 0, "rows": 0, "bytes": 0, "uncompressed_bytes": 0}, "next_cursor": null, "signed_url_seconds": 3600}', 'lists nothing, at version 0');
select tests.upload(1, 100, 'a', 'port', '2024-11-25'), tests.upload(1, 100, 'b', 'port', '2024-11-26'), tests.upload(1, 100, 'c', 'port', '2024-11-25'), tests.upload(1, 100, 'd', 'ship', '0');
create temp table l as select list_files(tests.u(1), tests.u(100)) as l;
select is((select l -> 'version' from l), '4', 'the newest version');
select is((select jsonb_agg(concat_ws('/', f ->> 'table', f ->> 'period_tag', f ->> 'seq_min')) from l, jsonb_array_elements(l -> 'files') f),
  '["port/2024-11-25/1", "port/2024-11-25/2", "port/2024-11-26/1", "ship/0/1"]', 'in order of table, period and upload');
select bag_eq($$select jsonb_object_keys(l -> 'files' -> 0) from l$$, array['id', 'object_key', 'start_byte', 'byte_length', 'table', 'period_tag', 'size', 'level',
  'state', 'lost', 'quarantine_code', 'quarantine_reason', 'row_count', 'row_group_count', 'uncompressed_bytes', 'schema_fingerprint', 'schema_digest', 'stats', 'etag', 'seq_min', 'seq_max',
  'uploaded_at', 'added_version'], 'each with its fields');
select is(jsonb_array_length(list_files(tests.u(1), tests.u(100), 'port') -> 'files'), 3, 'of one table');
select is(jsonb_array_length(list_files(tests.u(1), tests.u(100), 'port', '2024-11-26') -> 'files'), 1, 'of one period');
select is(jsonb_array_length(list_files(tests.u(1), tests.u(100), 'port', p_from => '2024-11-26') -> 'files'), 1, 'from a period');
select is(jsonb_array_length(list_files(tests.u(1), tests.u(100), 'port', p_to => '2024-11-25') -> 'files'), 2, 'up to a period, included');
select is(jsonb_array_length(list_files(tests.u(1), tests.u(100), p_version => 2) -> 'files'), 2, 'as of an older version');
select is(list_files(tests.u(1), tests.u(100), p_version => 2) -> 'version', '2', 'and says so');

-- pages pin their version
create temp table p1 as select list_files(tests.u(1), tests.u(100), p_limit => 2) as l;
select is((select jsonb_array_length(l -> 'files') from p1), 2, 'a page is as long as was asked');
create temp table c as select tests.claim() as c;
select tests.compact(c) from c;
select tests.compact(tests.claim());
select tests.compact(tests.claim());
select tests.upload(1, 100, 'e', 'zebra', '0');
create temp table p2 as select list_files(tests.u(1), tests.u(100), p_limit => 2, p_cursor => (select l ->> 'next_cursor' from p1)) as l;
select is((select l -> 'version' from p2), '4', 'the next page shows the version of the first');
select is((select (p1.l -> 'files') || (p2.l -> 'files') from p1, p2), (select l -> 'files' from l), 'both pages are that version''s list, whatever was compacted meanwhile');
select is((select l -> 'next_cursor' from p2), 'null', 'the last page has no cursor');
create temp table sums as select jsonb_build_object('files', count(*), 'rows', sum((f ->> 'row_count')::bigint), 'bytes', sum((f ->> 'size')::bigint),
  'uncompressed_bytes', sum((f ->> 'uncompressed_bytes')::bigint)) as s from l, jsonb_array_elements(l -> 'files') f;

-- bounds stand by the columns of their file's schema
insert into file_schemas (digest, schema) values ('wide', jsonb_build_object('name', 'root', 'children',
  (select jsonb_agg(jsonb_build_object('name', 'c' || n) order by n) from generate_series(0, 199) n)));
create temp table first_file as select min(f.id) as id from battle_files f where f.dataset_id = tests.u(100) and f.removed_version is null;
update battle_files f set stats = to_jsonb('[[0,1]]'::text), schema_digest = 'wide' where f.id = (select id from first_file);
create temp table by_place as select list_files(tests.u(1), tests.u(100)) as l;
select is((select jsonb_path_query_array(l, '$.files[*] ? (@.stats == "[[0,1]]").schema_digest') from by_place), '["wide"]', 'a file says under which schema they stand');
select is((select l -> 'columns' -> 'wide' from by_place), (select jsonb_agg('c' || n order by n) from generate_series(0, 127) n), 'and the list names its first 128 columns');
select is((select array_agg(k) from by_place, jsonb_object_keys(l -> 'columns') k), array['wide'], 'of no schema by which none stand');
update battle_files f set stats = to_jsonb('{"c0":[0,1]}'::text) where f.id = (select id from first_file);

select is((select p1.l -> 'totals' from p1), (select s from sums), 'the totals of a page are those of the whole version');
select is((select p2.l -> 'totals' from p2), (select s from sums), 'also when a newer one has others');
select isnt(list_files(tests.u(1), tests.u(100)) -> 'totals', (select s from sums), 'which it has');
select is(list_files(tests.u(1), tests.u(100), 'port', p_limit => 1) -> 'totals', list_files(tests.u(1), tests.u(100)) -> 'totals', 'a filter changes nothing in them');
select is((select count(*) from jsonb_array_elements(list_files(tests.u(1), tests.u(100)) -> 'files') f where f ->> 'level' = '1'), 3::bigint, 'the newest version shows the outputs');
select is((select sum((f ->> 'row_count')::int) from jsonb_array_elements(list_files(tests.u(1), tests.u(100)) -> 'files') f), 50::bigint, 'with every row once');
select is((select sum((f ->> 'row_count')::int) from jsonb_array_elements(list_files(tests.u(1), tests.u(100), p_version => 4) -> 'files') f), 40::bigint, 'as the older one does');

-- what is refused
select throws_ok($$select list_files(tests.u(2), tests.u(100))$$, 'SD403', 'dataset_forbidden', 'another user''s dataset is refused');
select throws_ok($$select list_files(tests.u(1), tests.u(99))$$, 'SD404', 'not_found', 'an unknown one is not found');
select lives_ok($$select list_files(null, tests.u(100))$$, 'the service reads all');
select throws_ok($$select list_files(tests.u(1), tests.u(100), p_version => 99)$$, 'SD404', 'version_unknown', 'a version that is not yet');
select throws_ok($$select list_files(tests.u(1), tests.u(100), p_cursor => 'nonsense!')$$, 'SD400', 'invalid_cursor', 'a cursor that nobody gave');
select throws_ok($$select list_files(tests.u(1), tests.u(100), p_cursor => 'e30=')$$, 'SD400', 'invalid_cursor', 'an empty one');
select throws_ok($$select list_files(tests.u(1), tests.u(100), p_cursor => sediment.encode_cursor(jsonb_build_object('v', '4; drop', 't', '', 'p', '', 's', '0', 'd', tests.u(100))))$$, 'SD400', 'invalid_cursor', 'a forged one');
select tests.upload(1, 101, 'x');
select throws_ok($$select list_files(tests.u(1), tests.u(101), p_cursor => (select l ->> 'next_cursor' from p1))$$, 'SD400', 'invalid_cursor', 'a cursor of another dataset');
update datasets set oldest_kept_version = 5 where id = tests.u(100);
select throws_ok($$select list_files(tests.u(1), tests.u(100), p_version => 4)$$, 'SD410', 'version_gone', 'a version that is no longer kept is gone');
select throws_ok($$select list_files(tests.u(1), tests.u(100), p_cursor => (select l ->> 'next_cursor' from p1))$$, 'SD410', 'version_gone', 'also for a cursor that pinned it');
select lives_ok($$select list_files(tests.u(1), tests.u(100), p_version => 5)$$, 'the oldest kept one is there');

-- times
select ok((select bool_and(b) from (select committed_at > lag(committed_at) over (order by version) as b from dataset_versions where dataset_id = tests.u(100)) x where b is not null), 'times rise with the versions');
update datasets set version_committed_at = clock_timestamp() + interval '1 day' where id = tests.u(100);
select tests.upload(1, 100, 'late');
select ok((select committed_at from dataset_versions where dataset_id = tests.u(100) order by version desc limit 1) > clock_timestamp() + interval '23 hours', 'even when the clock ran backwards');
select is(version_at(tests.u(1), tests.u(100), clock_timestamp()) -> 'version', '8', 'a time finds its version');
select throws_ok($$select version_at(tests.u(1), tests.u(100), now() - interval '1 year')$$, 'SD410', 'version_gone', 'one that is gone is gone');
select throws_ok($$select version_at(tests.u(1), tests.u(101), now() - interval '1 year')$$, 'SD404', 'version_unknown', 'before the first commit there was none');

-- one file
create temp table f as select (l -> 'files' -> 0 ->> 'id')::bigint as gone, (select id from battle_files where dataset_id = tests.u(100) and "table" = 'port' and removed_version is null order by id desc limit 1) as kept from l;
select is(get_file(tests.u(1), kept) ->> 'table', 'port', 'a file by its id') from f;
select is(get_file(tests.u(1), kept) -> 'schema', '{"name": "root"}', 'with its schema') from f;
select is(get_file(null, kept) ->> 'user_id', tests.u(1)::text, 'and its owner, for the service') from f;
select throws_ok($$select get_file(tests.u(2), kept) from f$$, 'SD404', 'not_found', 'another user''s file is as if it were not there');
select throws_ok($$select get_file(tests.u(1), gone) from f$$, 'SD410', 'version_gone', 'a file that no kept version shows is gone');
select throws_ok($$select get_file(tests.u(1), 0)$$, 'SD404', 'not_found', 'an unknown one is not found');

select * from finish();
rollback;
