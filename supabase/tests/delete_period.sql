-- delete_data: a period of all tables, and what the ledger says of it afterwards
begin;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
select plan(47);
set local role service_role;

select tests.upload(1, 100, 'a' || i, 'port', '2024-11-25') from generate_series(1, 5) i;
select tests.upload(1, 100, 'b', 'port', '2024-11-26'), tests.upload(1, 100, 'c', 'ship', '2024-11-25');
create temp table claimed as select tests.claim('w', 100, 'port') as c;
create temp table output as select tests.output(c) as o from claimed;
create temp table late as select tests.stage(1, 100, 'late', 'port', '2024-11-25') as s, tests.stage(1, 100, 'other', 'port', '2024-11-26') as o;
select throws_ok($$select delete_data(tests.u(2), tests.u(100), p_period_tag => '2024-11-25')$$, 'SD403', 'dataset_forbidden', 'another user''s is not theirs to delete');
select throws_ok($$select delete_data(tests.u(1), tests.u(999))$$, 'SD404', 'not_found', 'nor is what is not there');
select throws_ok($$select delete_data(tests.u(1), tests.u(100), 'hangar')$$, 'SD404', 'not_found', 'nor a table that never was');
select throws_ok($$select delete_data(tests.u(1), tests.u(100), 'a/b')$$, 'SD400', 'invalid_name', 'nor a name that can''t be one');
create temp table d1 as select delete_data(tests.u(1), tests.u(100), p_period_tag => '2024-11-25') as r;
select is((select r -> 'version' from d1), '8', 'gone with the next version');
select is((select r ->> 'state' from d1), 'marked', 'which is a mark');
select is(tests.listed(100), array['port/2024-11-26/1'], 'readers heed it before any file is taken out');
select is(jsonb_array_length(list_tables(tests.u(1), tests.u(100)) -> 'partitions'), 1, 'so do lists of tables');
select is(cardinality(tests.listed(100, 7)), 7, 'older versions stay as they were');
select is((select row_count from datasets where id = tests.u(100)), 70::bigint, 'the totals follow the slices');
select throws_ok($$select tests.commit_stage(s, 1, 'late', jsonb_build_array(tests.file('port', '2024-11-25', 10))) from late$$, 'SD410', 'dataset_deleted', 'a stage that was open can''t be committed');
select lives_ok($$select tests.commit_stage(o, 1, 'other', jsonb_build_array(tests.file('port', '2024-11-26', 10))) from late$$, 'one of another period can');
select throws_ok($$select tests.commit(c, o) from claimed, output$$, 'SD409', 'lease_lost', 'a merge of what was read before can''t be committed');
select lives_ok($$select tests.upload(1, 100, 'new', 'port', '2024-11-25')$$, 'what is uploaded afterwards is there');
select is(tests.listed(100), array['port/2024-11-25/6', 'port/2024-11-26/1', 'port/2024-11-26/2'], 'and is shown');
select is(jsonb_array_length(tests.claim('w2', 100, 'ship') -> 'files'), 0, 'a claim lists nothing that is marked');
select is(group_upload_calls('[]', jsonb_build_array(jsonb_build_object('p_stage', s ->> 'stage_id', 'p_user', tests.u(1), 'p_size', 100, 'p_etag', 'e', 'p_content_hash', tests.hash('old'), 'p_files', jsonb_build_array(tests.file('port', '2024-11-26', 10))))) #>> '{commits,0,error,message}', 'hash_mismatch', 'a group has its calls'' own errors still')
from (select tests.stage(1, 100, 'x', 'port', '2024-11-26') as s) x;

create temp table slice as select advance_deletions(3) as a;
select is((select a -> 'more' from slice), 'true', 'a slice takes as many files as it may');
select is((select count(*) from battle_files where dataset_id = tests.u(100) and removed_version = 8), 3::bigint, 'as of the version of the mark');
select is((select row_count from datasets where id = tests.u(100)), 60::bigint, 'with the totals');
select is((tests.partition(100, 'port', '2024-11-25')).lease_worker, 'w', 'a partition that is not done keeps its lease');
create temp table r1 as select tests.slices(r) as r from d1;
select is((select r - array['deletion_id', 'user_id', 'dataset_id', 'requested_at', 'removed_at'] from r1),
  '{"kind": "period", "table": null, "period_tag": "2024-11-25", "upload_id": null, "version": 8, "purge": false, "state": "removed", "done": true, "files": 6, "rows": 60, "bytes": 600, "assets": 0, "objects_left": 0, "purged_at": null}', 'the receipt says what went');
select is((select count(*) from battle_files where dataset_id = tests.u(100) and removed_version = 8), 6::bigint, 'every file that was added before');
select is(cardinality(tests.listed(100, 7)), 7, 'older versions still show them');
select is(cardinality(tests.listed(100, 8)), 1, 'that version does not');
select is((select (p.lease_expires_at is null, p.token, p.debt_files) from tests.partition(100, 'port', '2024-11-25') p), row(true, 2::bigint, 1::bigint), 'the lease is taken, the token rose, the debt is what came since');
select is((select r.status || '/' || r.decision from processing_metrics r, claimed where r.id = (c ->> 'run_id')::uuid), 'success/ended: what it was to compact was deleted', 'the run has ended, and says why');
select throws_ok($$select renew_lease((c ->> 'run_id')::uuid, (c ->> 'token')::bigint) from claimed$$, 'SD409', 'run_finished', 'its worker is told');
select is((select count(*) from sediment.queue_messages m, partitions p where p.dataset_id = tests.u(100) and m.queue = p.queue and m.msg_id = p.msg_id), 2::bigint, 'live messages are those of partitions with something to do');
select is((select count(*) from sediment.queue_messages m where m.message ->> 'datasetId' = tests.u(100)::text), 2::bigint, 'there are no others');
select is((select p.msg_id from tests.partition(100, 'ship', '2024-11-25') p), null, 'a partition of which nothing is left is at rest');
select is((select p.last_seq from tests.partition(100, 'port', '2024-11-25') p), 6::bigint, 'upload order goes on');
select throws_ok($$select deletion_status(tests.u(2), (r ->> 'deletion_id')::uuid) from d1$$, 'SD404', 'not_found', 'a receipt is for whose data it was');
insert into dataset_members (dataset_id, user_id, role, invited_by) values (tests.u(100), tests.u(2), 'reader', tests.u(1));
select is(deletion_status(tests.u(2), (r ->> 'deletion_id')::uuid) -> 'rows', '60', 'and for whoever reads it') from d1;
delete from dataset_members where user_id = tests.u(2);
select throws_ok($$select deletion_status(tests.u(2), (r ->> 'deletion_id')::uuid) from d1$$, 'SD404', 'not_found', 'as long as they may');

-- the ledger
select throws_ok($$select tests.stage(1, 100, 'a1', 'port', '2024-11-25')$$, 'SD410', 'upload_deleted', 'a late retry is no wish to have it back');
select is(tests.stage(1, 100, 'b', 'port', '2024-11-26') -> 'duplicate', 'true', 'others keep their answer');
create temp table again as select stage_upload(tests.u(1), tests.u(100), 'port', '2024-11-25', 100, tests.hash('a1'), '', p_again => true) as s;
select is((select s -> 'duplicate' from again), 'false', 'said so, it is a new upload');
select lives_ok($$select tests.commit_stage(s, 1, 'a1', jsonb_build_array(tests.file('port', '2024-11-25', 10))) from again$$, 'that is taken');
select is(tests.listed(100), array['port/2024-11-25/6', 'port/2024-11-25/7', 'port/2024-11-26/1', 'port/2024-11-26/2'], 'and there once');
select is(tests.stage(1, 100, 'a1', 'port', '2024-11-25') -> 'duplicate', 'true', 'from then on it is known');
select is((select count(*) from forgotten_uploads where digest = sediment.identity_digest(tests.u(100), 'port', '2024-11-25', tests.hash('a1'))), 1::bigint, 'of the first a keyed hash is left');
select isnt(sediment.identity_digest(tests.u(100), 'port', '2024-11-25', tests.hash('a1')), encode(sha256(convert_to(concat_ws('/', tests.u(100), 'port', '2024-11-25', tests.hash('a1')), 'UTF8')), 'hex'), 'that nobody can guess at');
update service_settings set deleted_upload_seconds = 0;
select is(tests.stage(1, 100, 'a2', 'port', '2024-11-25') -> 'duplicate', 'false', 'when no late retry can come any more it is new without saying so');
update service_settings set deleted_upload_seconds = 172800;
select is((select count(*) from uploads where dataset_id = tests.u(100) and content_hash = tests.hash('a3')), 1::bigint, 'the ledger keeps what a kept version shows');
update deletions set requested_at = requested_at - interval '3 days';
update datasets set oldest_kept_version = version where id = tests.u(100);
select is(tests.slices(r) ->> 'state', 'removed', 'later') from d1;
select is((select array_agg(u.content_hash order by u.content_hash) from uploads u where dataset_id = tests.u(100)), (select array_agg(tests.hash(b) order by tests.hash(b)) from unnest('{a1,b,new,other}'::text[]) b), 'it forgets what was deleted, and nothing else');

select * from finish();
rollback;
