-- What ends the keys of a dataset beside their owner and their time: a handover, and the deletion of their user in Auth.
begin;
\ir helpers/fixtures.sql
\ir helpers/keys.sql
select no_plan();
grant execute on all functions in schema tests to service_role;
set local role service_role;
select tests.upload(1, 100, 'a'), tests.upload(9, 900, 'z');
select accept_invitation(tests.u(2), invite_member(null, tests.u(100), 'writer') ->> 'token');

select tests.key(7, 1, 100, 'a'), tests.key(8, 9, 900, 'b'), tests.key(6, 9, 900, 'c'), tests.stage_key(1, 100, 'planned');
select is(accept_invitation(tests.u(3), invite_member(tests.u(1), tests.u(100), 'owner') ->> 'token') ->> 'role', 'owner', 'a handover');
select is(tests.outcome('list_files(tests.u(7), tests.u(100))'), 'dataset_forbidden', 'ends the keys of the dataset');
select is((select array_agg(distinct end_reason) from dataset_keys where dataset_id = tests.u(100)), array['handed_over'], 'planned ones too');
select is((select role from dataset_members where user_id = tests.u(2)), 'writer', 'members stay');
select ok((select bool_and((remove_user_at > clock_timestamp()) = (activated_at is null)) from dataset_keys where dataset_id = tests.u(100)), 'of a key that was being made Auth may have the user yet to come');
select is(list_keys(tests.u(3), tests.u(100)) #>> '{keys,0,end_reason}', 'handed_over', 'the new owner sees what there was');
select is(tests.outcome('list_files(tests.u(8), tests.u(900))'), 'ok', 'keys of others stay');
reset role;
create table tests.users (id uuid);
select sediment.watch_auth_users('tests.users');
insert into tests.users values (tests.u(6)), (tests.u(5));
delete from tests.users where true;
set local role service_role;
select is((select end_reason || coalesce(remove_user_at::text, '') from dataset_keys where user_id = tests.u(6)), 'user_deleted', 'a key whose user is deleted in Auth has ended');
select is((select array_agg(user_id) from deletions where kind = 'user'), array[tests.u(5)], 'and is no user''s deletion');
select is(tests.outcome('list_files(tests.u(6), tests.u(900))'), 'dataset_forbidden', 'its session reads nothing');

select * from finish();
rollback;
