-- delete_upload
begin;
\ir helpers/fixtures.sql
select plan(23);
set local role service_role;

create temp table many as select tests.stage(1, 100, 'many', 'port', '0', 200, 'd', 'concatenated') as s;
select tests.commit_stage(s, 1, 'many', jsonb_build_array(tests.file('port', '0', 10), tests.file('ship', '0', 7, 100, 100, 1)), 200) from many;
select tests.upload(1, 100, 'b', 'port', '0'), tests.upload(1, 100, 'c', 'port', '0');
create temp table id as select (select (s ->> 'stage_id')::uuid from many) as many,
  (select id from uploads where content_hash = tests.hash('b')) as b, (select id from uploads where content_hash = tests.hash('c')) as c;
create temp table claimed as select tests.claim('w', 100, 'port') as c;

select throws_ok($$select delete_upload(tests.u(2), many) from id$$, 'SD404', 'not_found', 'of another''s upload nothing is told');
select throws_ok($$select delete_upload(tests.u(1), tests.u(9))$$, 'SD404', 'not_found', 'as of one that never was');
create temp table r as select delete_upload(tests.u(1), many) as r from id;
select is((select r - array['deletion_id', 'user_id', 'dataset_id', 'upload_id', 'requested_at', 'removed_at'] from r),
  '{"kind": "upload", "table": null, "period_tag": null, "version": 4, "purge": false, "state": "removed", "done": true, "files": 2, "rows": 17, "bytes": 200, "assets": 0, "objects_left": 0, "purged_at": null}', 'all its slices go with the next version');
select is((select jsonb_agg(f -> 'row_count') from jsonb_array_elements(list_files(tests.u(1), tests.u(100)) -> 'files') f), '[10, 10]', 'and nothing else');
select is(jsonb_array_length(list_files(tests.u(1), tests.u(100), p_version => 3) -> 'files'), 4, 'older versions are as they were');
select is((select (row_count, file_count, file_size_bytes) from datasets where id = tests.u(100)), row(20::bigint, 2::bigint, 200::bigint), 'the totals follow at once');
select is((select r.status from processing_metrics r, claimed where r.id = (c ->> 'run_id')::uuid), 'running', 'a run of other uploads goes on');
select throws_ok($$select tests.compact(c) from claimed$$, 'SD409', 'inputs_changed', 'but can''t merge what it had read of this one');
select is(delete_upload(tests.u(1), many) -> 'deletion_id', r -> 'deletion_id', 'asked again it is the same receipt') from id, r;
select throws_ok($$select tests.stage(1, 100, 'many', 'port', '0', 200, 'd', 'concatenated')$$, 'SD410', 'upload_deleted', 'a late retry brings nothing back');
select is(tests.stage(1, 100, 'b', 'port', '0') -> 'duplicate', 'true', 'others keep their answer');

create temp table again as select stage_upload(tests.u(1), tests.u(100), 'port', '0', 200, tests.hash('many'), 'd', 'concatenated', p_again => true) as s;
select lives_ok($$select tests.commit_stage(s, 1, 'many', jsonb_build_array(tests.file('port', '0', 10), tests.file('ship', '0', 7, 100, 100, 1)), 200) from again$$, 'a wish does');
select is(jsonb_array_length(list_files(tests.u(1), tests.u(100)) -> 'files'), 4, 'once');

-- one slice is gone already, the other one is left
select delete_data(tests.u(1), tests.u(100), 'ship');
create temp table r2 as select delete_upload(tests.u(1), (s ->> 'stage_id')::uuid) as r from again;
select is((select r -> 'rows' from r2), '10', 'what another deletion has taken is not counted twice');
select advance_deletions(), advance_deletions();
select is((select row_count from datasets where id = tests.u(100)), 20::bigint, 'nor taken twice');

-- a stage of what was known then, so that its bytes were not put; deleted and forgotten since
select tests.upload(1, 300, 'k', 'port', '0');
create temp table known as select tests.stage(1, 300, 'k', 'port', '0') as s;
select delete_upload(null, u.id) from uploads u where u.dataset_id = tests.u(300);
select stage_upload(tests.u(1), tests.u(300), 'port', '0', 100, tests.hash('k'), '', p_again => true);
select throws_ok($$select tests.commit_stage(s, 1, 'k', '[]') from known$$, 'SD410', 'stage_expired', 'it begins anew');

-- merged
select is(tests.commit(c, tests.output(c, 0, 20), (select array_agg((f ->> 'id')::bigint) from jsonb_array_elements(c -> 'files') f where (f ->> 'seq_min')::bigint in (2, 3))) ->> 'run_status', 'success', 'the others are merged') from claimed;
select throws_ok($$select delete_upload(tests.u(1), b) from id$$, 'SD422', 'provenance_unknown', 'rows of one can''t be told from those of the other any more');
select is((select row_count from datasets where id = tests.u(100)), 20::bigint, 'and nothing is deleted');

-- purge
select tests.upload(1, 200, 'p', 'port', '0'), tests.upload(1, 200, 'q', 'port', '0');
create temp table r3 as select delete_upload(null, u.id, true) as r from uploads u where u.content_hash = tests.hash('p');
select is(advance_deletions() -> 'advanced', r -> 'deletion_id', 'a purge has a slice more') from r3;
select is((select count(*) from battle_files where dataset_id = tests.u(200)), 1::bigint, 'its file leaves the catalog, and no other');
select is((select count(*) from objects where dataset_id = tests.u(200) and state = 'deleting'), 1::bigint, 'its object the store');
select throws_ok($$select list_files(tests.u(1), tests.u(200), p_version => 2)$$, 'SD410', 'version_gone', 'older versions end');

select * from finish();
rollback;
