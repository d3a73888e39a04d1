-- delete_data: a dataset, whose merged rows are in the inputs of merges too
begin;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
select plan(9);
set local role service_role;

select tests.upload(1, 300, 'p' || i, 'port', '0') from generate_series(1, 4) i;
select tests.compact(c) from (select tests.claim('w', 300) as c) x;
create temp table open as select tests.stage(1, 300, 'open', 'port', '0') as s;
create temp table d4 as select delete_data(tests.u(1), tests.u(300)) as r;
select is(tests.slices(r) ->> 'state', 'removed', 'a dataset') from d4;
select throws_ok($$select list_files(tests.u(1), tests.u(300))$$, 'SD410', 'dataset_deleted', 'is gone for its owner');
select throws_ok($$select list_files(tests.u(2), tests.u(300))$$, 'SD403', 'dataset_forbidden', 'and nothing to others, as ever');
select throws_ok($$select tests.stage(1, 300, 'p9')$$, 'SD410', 'dataset_deleted', 'nothing can be uploaded to it');
select throws_ok($$select tests.stage(2, 300, 'p9')$$, 'SD403', 'dataset_forbidden', 'its id stays taken');
select is(cardinality(tests.listed(300, 4)), 4, 'the service still reads what is kept');
select is(delete_data(tests.u(1), tests.u(300)) -> 'deletion_id', r -> 'deletion_id', 'deleted again it has the first receipt') from d4;
create temp table d5 as select delete_data(tests.u(1), tests.u(300), p_purge => true) as r;
select is(tests.slices(r) ->> 'objects_left', '6', 'a purge takes inputs, outputs and what is staged') from d5;
select is((select count(*) from battle_files where dataset_id = tests.u(300)), 0::bigint, 'no row of the catalog is left of its files');

select * from finish();
rollback;
