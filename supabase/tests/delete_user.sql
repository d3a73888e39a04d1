-- delete_user
begin;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
select plan(9);
set local role service_role;

select tests.upload(3, 400, 'u', 'port', '0'), tests.upload(3, 401, 'u', 'port', '0'), tests.upload(4, 402, 'u', 'port', '0');
create temp table asset as select stage_asset(tests.u(3), 'k.png', 'k.png', 'k.png', 5, tests.hash('k')) as s, stage_asset(tests.u(3), 'l.png', 'l.png', 'l.png', 5, tests.hash('l')) as t;
select commit_asset((s ->> 'stage_id')::uuid, tests.u(3), 5, 'e', tests.hash('k')) from asset;
create temp table d6 as select delete_user(tests.u(3), tests.u(3)) as r;
select throws_ok($$select tests.stage(3, 403, 'v')$$, 'SD410', 'user_deleted', 'a token that outlives its user uploads nothing');
select throws_ok($$select list_files(tests.u(3), tests.u(400))$$, 'SD410', 'user_deleted', 'reads nothing');
select throws_ok($$select commit_asset((t ->> 'stage_id')::uuid, tests.u(3), 5, 'e', tests.hash('l')) from asset$$, 'SD410', 'user_deleted', 'and brings no asset');
select is(tests.slices(r) - array['deletion_id', 'user_id', 'requested_at', 'removed_at'], '{"kind": "user", "table": null, "period_tag": null, "upload_id": null, "dataset_id": null, "version": null, "purge": false, "state": "removed", "done": true, "files": 2, "rows": 20, "bytes": 200, "assets": 1, "objects_left": 0, "purged_at": null}', 'all of it goes') from d6;
select is((select count(*) from battle_files where dataset_id in (tests.u(400), tests.u(401)) and removed_version is null), 0::bigint, 'every file');
select is(tests.listed(402), array['port/0/1'], 'nobody else''s');
select is(tests.slices(delete_user(tests.u(3), null, true)) - array['deletion_id', 'user_id', 'requested_at', 'removed_at', 'purged_at'], '{"kind": "user", "table": null, "period_tag": null, "upload_id": null, "dataset_id": null, "version": null, "purge": true, "state": "purged", "done": false, "files": 2, "rows": 20, "bytes": 200, "assets": 1, "objects_left": 3}', 'a purge can be asked for later');
reset role;
create table tests.users (id uuid primary key);
insert into tests.users values (tests.u(4));
select sediment.watch_auth_users('tests.users');
delete from tests.users;
set local role service_role;
select throws_ok($$select tests.stage(4, 402, 'w')$$, 'SD410', 'user_deleted', 'a user deleted in Auth is deleted here');

-- more users than a call looks at, each of whom waits for what is at a dataset of theirs
create temp table us as select gen_random_uuid() as u, gen_random_uuid() as d from generate_series(1, 110);
insert into datasets (id, user_id) select d, u from us;
insert into deletions (kind, user_id, requested_by) select 'user', u, u from us;
do $$ begin while (advance_deletions(10000) ->> 'more')::boolean loop null; end loop; end $$;
select is((select count(*) from deletions x where x.user_id in (select u from us) and x.kind = 'user' and x.removed_at is null), 0::bigint, 'however many users wait, what they wait for is done');

select * from finish();
rollback;
