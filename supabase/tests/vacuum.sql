-- plan_vacuum, commit_vacuum, list_objects, find_objects
begin;
\ir helpers/fixtures.sql
-- as if everything had happened that much earlier
create function tests.age(p_by interval) returns void language plpgsql as $$
begin
  update dataset_versions set committed_at = committed_at - p_by;
  update datasets set oldest_kept_at = oldest_kept_at - p_by, version_committed_at = version_committed_at - p_by,
    vacuumed_at = vacuumed_at - p_by;
  update objects set put_deadline = put_deadline - p_by, delete_after = delete_after - p_by;
end $$;
create function tests.keys(p_plan jsonb) returns text[] language sql as $$
  select coalesce(array_agg(d ->> 'object_key' order by d ->> 'object_key'), '{}') from jsonb_array_elements(p_plan -> 'delete') d
$$;
grant execute on all functions in schema tests to service_role;
select plan(48);
set local role service_role;
update service_settings set vacuum_interval_seconds = 0;

-- a body of two slices and a plain one; the first slice's table is compacted
create temp table st as select tests.stage(1, 100, 'body', 'port', '0', 200, '', 'concatenated') as s;
select tests.commit_stage(s, 1, 'body', jsonb_build_array(tests.file('port', '0', 5, 0, 100, 0), tests.file('ship', '0', 7, 100, 100, 1)), 200) from st;
create temp table plain as select tests.upload(1, 100, 'plain', 'port', '0') as a;
select tests.compact(c) from (select tests.claim('w', 100, 'port') as c) x;

create temp table p0 as select plan_vacuum() as p;
select is((select p - 'more' from p0), '{"dry_run": false, "versions": [], "files_dropped": 0, "delete": []}', 'nothing is old enough');
select tests.age(interval '6 days');
select is(plan_vacuum() -> 'versions', '[]', 'not before the retention has passed');
select tests.age(interval '2 days');
create temp table dry as select plan_vacuum(p_dry_run => true) as p;
select is((select p -> 'versions' from dry), jsonb_build_array(jsonb_build_object('dataset_id', tests.u(100), 'oldest_kept_version', 3, 'vacuumable_version', 0, 'retention_seconds', 604800)), 'a dry run says what would move');
select is((select p -> 'dry_run' from dry), 'true', 'and that it is one');
select is((select oldest_kept_version from datasets where id = tests.u(100)), 0::bigint, 'and changes nothing');
create temp table p1 as select plan_vacuum() as p;
select is((select p - 'dry_run' from p1), (select p - 'dry_run' from dry), 'a real run does what the dry one said');
select is((select oldest_kept_version from datasets where id = tests.u(100)), 3::bigint, 'the version of then is the oldest kept');
select throws_ok($$select list_files(tests.u(1), tests.u(100), p_version => 2)$$, 'SD410', 'version_gone', 'older ones are gone');
select lives_ok($$select list_files(tests.u(1), tests.u(100), p_version => 3)$$, 'it is there');
select is((select p -> 'files_dropped' from p1), '0', 'nothing is dropped yet: URLs are alive');
select is(plan_vacuum() -> 'files_dropped', '0', 'nor by the next run');
select tests.age(interval '61 minutes');
create temp table p2 as select plan_vacuum() as p;
select is((select p -> 'files_dropped' from p2), '2', 'when they are dead the files that no version shows are dropped');
select is((select tests.keys(p) from p2), array[(select a ->> 'key' from plain)], 'and the object of which nothing is left is to be deleted');
select is((select state from objects o, plain where o.object_key = a ->> 'key'), 'deleting', 'it is on its way out');
select is((select state from objects o, st where o.object_key = s ->> 'object_key'), 'stored', 'an object with a slice that shows is kept');
select is((select count(*) from battle_files where dataset_id = tests.u(100)), 2::bigint, 'what shows is kept');
select is(plan_vacuum() -> 'delete', '[]', 'a key is handed out once in a while');
select tests.age(interval '11 minutes');
select is((select tests.keys(plan_vacuum())), array[(select a ->> 'key' from plain)], 'and again when nobody said that it is deleted');
select is(commit_vacuum(array[(select a ->> 'key' from plain), (select s ->> 'object_key' from st), 'unknown']), '{"ignored": 2, "tombstones": 1}', 'what was deleted is a tombstone, nothing else is');
select is((select (state, delete_after) from objects o, plain where o.object_key = a ->> 'key'), row('tombstone'::text, null::timestamptz), 'for good, since no PUT can arrive');
select is((select state from objects o, st where o.object_key = s ->> 'object_key'), 'stored', 'a stored object can''t be made one');
select is(plan_vacuum() -> 'delete', '[]', 'it is not handed out again');
select is(tests.stage(1, 100, 'plain', 'port', '0') -> 'answer' ->> 'metricId', (select a ->> 'metricId' from plain), 'the ledger answers for it for ever');
select is((select count(*) from dataset_versions where dataset_id = tests.u(100)), 1::bigint, 'times of versions that are gone are gone');

-- the other slice goes too
select tests.compact(c) from (select tests.claim('w', 100, 'ship') as c) x;
select tests.age(interval '8 days');
select plan_vacuum();
select tests.age(interval '61 minutes');
select is((select tests.keys(plan_vacuum())), array[(select s ->> 'object_key' from st)], 'an object goes when its last slice has gone');
select is((select count(*) from battle_files where dataset_id = tests.u(100) and removed_version is null), 2::bigint, 'the outputs stay');

select commit_vacuum(array[(select s ->> 'object_key' from st)]);

-- stages
create temp table ab as select tests.stage(1, 100, 'abandoned') as s;
select abandon_upload((s ->> 'stage_id')::uuid, tests.u(1)) from ab;
select is((select tests.keys(plan_vacuum())), array[(select s ->> 'object_key' from ab)], 'an abandoned stage is deleted at once');
select commit_vacuum(array[(select s ->> 'object_key' from ab)]);
select ok((select state = 'tombstone' and delete_after > put_deadline from objects o, ab where o.object_key = s ->> 'object_key'), 'and once more past the last possible PUT');
select is(plan_vacuum() -> 'delete', '[]', 'not before');
select tests.age(interval '3 hours');
select is((select p #>> '{delete,0,state}' from (select plan_vacuum() as p) x), 'tombstone', 'then');
select is(commit_vacuum(array[(select s ->> 'object_key' from ab)]) -> 'tombstones', '1', 'that is reported too');
select is((select delete_after from objects o, ab where o.object_key = s ->> 'object_key'), null, 'and the last of it');

-- retention: the longest of a dataset's tables
insert into table_settings (dataset_id, "table", retention_seconds) values (tests.u(100), '*', 60), (tests.u(100), 'ship', 86400);
select tests.upload(1, 100, 'again', 'port', '0');
select tests.age(interval '2 hours');
select is(plan_vacuum(p_dataset => tests.u(100)) -> 'versions', '[]', 'a version is kept as long as its slowest table wants');
delete from table_settings where "table" = 'ship';
select is(plan_vacuum(p_dataset => tests.u(100)) #>> '{versions,0,retention_seconds}', '60', 'the dataset''s own retention goes before the service''s');
select is(plan_vacuum(p_dataset => tests.u(999)) -> 'delete', '[]', 'a vacuum can look at one dataset');

-- slices
select tests.upload(1, 200, 's' || i, 'port', '0') from generate_series(1, 6) i;
select tests.compact(c) from (select tests.claim('w', 200) as c) x;
select tests.age(interval '8 days');
select plan_vacuum();
select tests.age(interval '61 minutes');
create temp table sl as select plan_vacuum(4) as p;
select is((select p -> 'files_dropped' from sl), '4', 'a slice drops as many as was asked');
select is((select p -> 'more' from sl), 'true', 'and says that there is more');
select is(plan_vacuum(4) -> 'files_dropped', '2', 'the next goes on');
select is((select row_count from datasets where id = tests.u(200)), 60::bigint, 'no row is lost');
select throws_ok($$select commit_vacuum(array_fill('x'::text, array[5001]))$$, 'SD400', 'invalid_request', 'keys come in slices');
-- fair among datasets
select tests.upload(1, 300 + d, 'f' || d || i, 'port', '0') from generate_series(1, 2) d, generate_series(1, 6) i;
select tests.compact(c) from generate_series(301, 302) d cross join lateral (select tests.claim('w', d) as c) x;
select tests.age(interval '8 days');
select plan_vacuum();
select tests.age(interval '61 minutes');
update datasets set vacuumed_at = vacuumed_at + interval '1 s' where id = tests.u(302);
select plan_vacuum(4), plan_vacuum(4);
select is((select array_agg(n) from (select count(*) as n from battle_files where dataset_id in (tests.u(301), tests.u(302)) and removed_version is not null group by dataset_id) x), '{2,2}', 'one dataset that has much to drop leaves the next slice to another');

-- consistency
select is(find_objects(array[(select s ->> 'object_key' from ab), 'foreign']) #>> '{objects,0,state}', 'tombstone', 'a known key has its state');
select is(jsonb_array_length(find_objects(array['foreign']) -> 'objects'), 0, 'a foreign one is not there');
create temp table lo as select list_objects(p_limit => 5) as l;
select is((select jsonb_array_length(l -> 'objects') from lo), 5, 'objects by pages');
select ok((select list_objects(p_limit => 5, p_cursor => l ->> 'next_cursor') #>> '{objects,0,object_key}' > l #>> '{objects,4,object_key}' from lo), 'that go on in order');
select is((select count(*) from jsonb_array_elements(list_objects('stored') -> 'objects') o where o ->> 'state' <> 'stored'), 0::bigint, 'of one state');
select is((select count(*) from jsonb_array_elements(list_objects('stored') -> 'objects') o), (select count(*) from objects where state = 'stored'), 'all of them');
select throws_ok($$select list_objects(p_cursor => 'x')$$, 'SD400', 'invalid_cursor', 'a cursor that nobody gave');

select * from finish();
rollback;
