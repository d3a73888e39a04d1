-- delete_data: a slice of an upload of several tables
begin;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
select plan(10);
set local role service_role;

create temp table many as select tests.stage(1, 200, 'many', 'port', '0', 200, 'd', 'concatenated') as s;
select tests.commit_stage(s, 1, 'many', jsonb_build_array(tests.file('port', '0', 10), tests.file('ship', '0', 7, 100, 100, 1)), 200) from many;
create temp table d2 as select delete_data(null, tests.u(200), 'port', p_purge => true) as r;
select throws_ok($$select list_files(tests.u(1), tests.u(200), p_version => 1)$$, 'SD410', 'version_gone', 'a purge ends older versions at once');
create temp table r2 as select tests.slices(r) as r from d2;
select is((select r ->> 'state' from r2), 'purging', 'its slices are done, but for the object');
select is(tests.listed(200), array['ship/0/1'], 'the other slice is there');
select is((select o.state from objects o, many where o.object_key = s ->> 'object_key'), 'stored', 'in the object that both share');
select is(tests.stage(1, 200, 'many', 'port', '0', 200, 'd', 'concatenated') -> 'duplicate', 'true', 'the upload as a whole is still known');
create temp table d3 as select delete_data(tests.u(1), tests.u(200), 'ship', '0', true) as r;
select is(tests.slices(r) - array['deletion_id', 'user_id', 'dataset_id', 'requested_at', 'removed_at', 'purged_at'],
  '{"kind": "period", "table": "ship", "period_tag": "0", "upload_id": null, "version": 3, "purge": true, "state": "purging", "done": false, "files": 1, "rows": 7, "bytes": 100, "assets": 0, "objects_left": 1}', 'with the last slice') from d3;
select is((select o.state from objects o, many where o.object_key = s ->> 'object_key'), 'deleting', 'the object goes');
select is((select plan_vacuum(p_dataset => tests.u(200)) #>> '{delete,0,object_key}'), (select s ->> 'object_key' from many), 'at once');
select commit_vacuum(array[(select s ->> 'object_key' from many)]);
select is(tests.slices(r) -> 'done', 'true', 'and the receipt is done') from d3;
select throws_ok($$select tests.stage(1, 200, 'many', 'port', '0', 200, 'd', 'concatenated')$$, 'SD410', 'upload_deleted', 'now the upload is deleted as a whole');

select * from finish();
rollback;
