-- delete_upload and delete_data with purges: asked for later, often, of what was forgotten, of what a merge had begun
begin;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
select plan(31);
create function tests.body(p_hash text, p_dataset integer) returns jsonb language sql as $$
  select tests.commit_stage(tests.stage(1, p_dataset, p_hash, 'port', '0', 200, 'd', 'concatenated'), 1, p_hash,
    jsonb_build_array(tests.file('port', '0', 10), tests.file('ship', '0', 7, 100, 100, 1)), 200)
$$;
create function tests.id_of(p_hash text) returns uuid language sql as $$ select id from uploads where content_hash = tests.hash(p_hash) $$;
create function tests.state_of(p_key text) returns text language sql as $$ select o.state from objects o where o.object_key = p_key $$;
create function tests.out(p_claim jsonb, p_rows bigint, p_n integer default 0) returns jsonb language sql as $$
  select tests.output(p_claim, p_n, p_rows) || '{"provenance_start": 40, "provenance_length": 9}'
$$;
create function tests.later(p_by interval) returns void language sql as $$
  update datasets set oldest_kept_at = oldest_kept_at - p_by where id = tests.u(300)
$$;
set local role service_role;

-- an upload that was deleted is purged later
select tests.upload(1, 100, 'a', 'port', '0'), tests.upload(1, 100, 'b', 'port', '0');
create temp table a as select (select object_key from uploads where id = tests.id_of('a')) as key, sediment.upload_key(u) as named from uploads u where id = tests.id_of('a');
create temp table d1 as select delete_upload(tests.u(1), tests.id_of('a')) as r;
select is((select tests.slices(r) ->> 'state' from d1), 'removed', 'deleted without a purge');
select is(jsonb_array_length(list_files(tests.u(1), tests.u(100), p_version => 2) -> 'files'), 2, 'older versions show it');
create temp table d2 as select delete_upload(tests.u(1), tests.id_of('a'), true) as r;
select is((select d2.r -> 'deletion_id' from d2), (select d1.r -> 'deletion_id' from d1), 'a purge that is asked for later is of the same receipt');
select is((select r -> 'done' from d2), 'false', 'which is not done any more');
select throws_ok($$select list_files(tests.u(1), tests.u(100), p_version => 2)$$, 'SD410', 'version_gone', 'older versions end');
create temp table r2 as select tests.slices(r) as r from d2;
select is((select count(*) from battle_files where dataset_id = tests.u(100)), 1::bigint, 'its file leaves the catalog, and no other');
select is((select r ->> 'objects_left' from r2), '1', 'its object is to go');
select commit_vacuum(array(select object_key from objects where state = 'deleting'));
select is((select tests.slices(r) - array['deletion_id', 'user_id', 'dataset_id', 'upload_id', 'requested_at', 'removed_at', 'purged_at'] from d2),
  '{"kind": "upload", "table": null, "period_tag": null, "version": 3, "purge": true, "state": "purged", "done": true, "files": 1, "rows": 10, "bytes": 100, "assets": 0, "objects_left": 0}', 'then it is done');
select is((select row_count from datasets where id = tests.u(100)), 10::bigint, 'and counted once');
select is(delete_upload(tests.u(1), tests.id_of('a'), true) ->> 'state', 'purged', 'asked again it is done still');

-- one that waits for its rewrite
select tests.upload(1, 200, 'c', 'port', '0'), tests.upload(1, 200, 'd', 'port', '0');
create temp table c1 as select tests.claim('w', 200, 'port') as c;
select tests.commit(c, tests.out(c, 20)) from c1;
create temp table d3 as select delete_upload(tests.u(1), tests.id_of('c'), p_merged => true) as r;
select is(delete_upload(tests.u(1), tests.id_of('c'), true, true) ->> 'state', 'pending', 'of one that waits for its rewrite a purge waits as well');
select is((select oldest_kept_version from datasets where id = tests.u(200)), 0::bigint, 'and ends no version before that');
create temp table c2 as select tests.claim('w', 200, 'port') as c;
select tests.commit(c, tests.out(c, 10), array[(c #>> '{files,0,id}')::bigint], p_result => '{"dropped": {"1": 10}}') from c2;
select is((select oldest_kept_version from datasets where id = tests.u(200)), 5::bigint, 'with the rewrite they end');
select is((select tests.slices(r) ->> 'state' from d3), 'purged', 'and the rows go');
select is((select array_agg(level order by level) from battle_files where dataset_id = tests.u(200)), '{0,2}'::integer[], 'from all that held them, and no other''s');

-- purges more often than URLs live
update service_settings set vacuum_interval_seconds = 0;
select tests.upload(1, 300, 'k' || i, 'port', '0') from generate_series(1, 4) i;
create temp table c3 as select tests.claim('w', 300, 'port') as c;
select tests.commit(c, tests.out(c, 20), (tests.ids(c))[1:2]) from c3;
create temp table seen (n integer, vacuumable bigint, files bigint);
do $$ begin
  for i in 1 .. 9 loop
    perform delete_data(tests.u(1), tests.u(300), 'port', '0', true) where i = 1;
    perform delete_data(tests.u(1), tests.u(300), 'ship', '0', true) where i > 1;
    perform tests.upload(1, 300, 's' || i, 'ship', '0');
    perform tests.later('20 minutes');
    perform plan_vacuum(p_dataset => tests.u(300));
    insert into seen select i, d.vacuumable_version, 0 from datasets d where d.id = tests.u(300);
  end loop;
end $$;
select is((select array_agg(vacuumable > 0 order by n) from seen), '{f,f,t,t,t,t,t,t,t}', 'a purge each 20 minutes keeps a vacuum from nothing that is an hour old');
select is((select count(distinct vacuumable) from seen where vacuumable > 0), 3::bigint, 'step by step');
select ok((select bool_and(d.vacuumable_version < d.oldest_kept_version) from datasets d where d.id = tests.u(300)), 'and never as far as what URLs are alive of');
select is((select count(*) from battle_files f join datasets d on d.id = f.dataset_id where f.dataset_id = tests.u(300) and f.removed_version <= d.vacuumable_version), 0::bigint, 'what it may take is gone');

-- what merges had written that were refused for it
select tests.upload(1, 400, 'm' || i, 'port', '0') from generate_series(1, 2) i;
select tests.upload(1, 400, 'n' || i, 'ship', '0') from generate_series(1, 2) i;
create temp table c4 as select tests.claim('w', 400, 'port') as c;
create temp table dirty as select stage_output((c ->> 'run_id')::uuid, 0, (c ->> 'token')::bigint, 90, tests.ids(c)) ->> 'object_key' as key from c4;
create temp table c5 as select tests.claim('w2', 400, 'ship') as c;
create temp table clean as select stage_output((c ->> 'run_id')::uuid, 0, (c ->> 'token')::bigint, 90, tests.ids(c)) ->> 'object_key' as key from c5;
create temp table d4 as select delete_upload(tests.u(1), tests.id_of('m1'), true) as r;
select is((select tests.slices(r) ->> 'state' from d4), 'purged', 'an upload of which a merge was under way');
select is((select tests.state_of(key) from dirty), 'deleting', 'what that had written goes with it');
select is((select tests.state_of(key) from clean), 'staged', 'what another table''s has written does not');
-- the run goes on with what is left, and a deletion of yet another upload leaves that alone
select tests.upload(1, 400, 'm3', 'port', '0');
create temp table left_over as select stage_output((c ->> 'run_id')::uuid, 1, (c ->> 'token')::bigint, 90, (tests.ids(c))[2:2]) ->> 'object_key' as key from c4;
select tests.slices(delete_upload(tests.u(1), tests.id_of('m3'), true));
select is((select tests.state_of(key) from left_over), 'staged', 'nor what is made of files that are all there still');

-- the upload has left the ledger when a table that shared its object is purged
create temp table e as select tests.body('e', 500) ->> 'key' as key;
select tests.slices(delete_data(null, tests.u(500), 'ship'));
select tests.slices(delete_data(null, tests.u(500), 'port'));
select stage_upload(tests.u(1), tests.u(500), 'port', '0', 200, tests.hash('e'), 'd', 'concatenated', p_again => true);
select is((select count(*) from uploads where dataset_id = tests.u(500)), 0::bigint, 'an upload that comes again by wish leaves the ledger');
create temp table d5 as select tests.slices(delete_data(null, tests.u(500), 'ship', p_purge => true)) as r;
select is((select r ->> 'state' from d5), 'purging', 'a later purge finds its object by the rows that older versions had');
create temp table s5 as select stage_splits(p_dataset => tests.u(500)) as s;
select is((select s #>> '{splits,0,object_key}' from s5), (select key from e), 'which is split');
select commit_split(key, (select jsonb_agg(jsonb_build_object('file', c -> 'file', 'object_key', c ->> 'object_key', 'etag', 'x')) from jsonb_array_elements(s #> '{splits,0,copies}') c)) from e, s5;
select commit_vacuum(array(select object_key from objects where state = 'deleting' and dataset_id = tests.u(500)));
select is((select tests.slices(r) ->> 'done' from d5), 'true', 'and then it is done');

-- what an upload's healing has replaced
select tests.upload(1, 600, 'h', 'port', '0'), tests.upload(1, 600, 'i', 'port', '0');
create temp table old as select object_key as key from battle_files where upload_id = tests.id_of('h');
update battle_files set lost_since = clock_timestamp() - interval '1 hour' where upload_id = tests.id_of('h');
select is(tests.upload(1, 600, 'h', 'port', '0') ->> 'healed', 'true', 'an upload is healed');
select ok((select delete_after > clock_timestamp() + interval '10 minutes' from objects o, old where o.object_key = old.key), 'its old object has the life of URLs');
select tests.slices(delete_upload(null, tests.id_of('h'), true));
select ok((select delete_after <= clock_timestamp() from objects o, old where o.object_key = old.key), 'a purge gives it none');
select is((select count(*) from objects where dataset_id = tests.u(600) and state = 'stored'), 1::bigint, 'others stay');

select * from finish();
rollback;
