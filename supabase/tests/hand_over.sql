-- A dataset is handed over, all or nothing; what becomes of it when its owner or a member is deleted.
begin;
\ir helpers/fixtures.sql
\ir helpers/members.sql
select no_plan();
set local role service_role;

select tests.upload(1, 100, 'a'), tests.upload(9, 900, 'z');
select tests.join_as(2, 100, 'writer'), tests.join_as(3, 100, 'reader');
-- a receipt, and two partitions
select delete_upload(tests.u(1), id) from uploads where dataset_id = tests.u(100);
select tests.upload(1, 100, 'b', 'port', '2024-11-26'), tests.upload(2, 100, 'c');

-- handover
create temp table h as select tests.invite(1, 100, 'owner', 4, 'reader') as r, tests.invite(1, 100, 'reader') as open;
create temp table before as select (select row_count from datasets where id = tests.u(100)) as rows, tests.stage(1, 100, 'on its way') as s;
insert into user_limits (user_id, stored_bytes_max) values (tests.u(4), 10);
select throws_ok($$select accept_invitation(tests.u(4), r ->> 'token') from h$$, 'SD429', 'quota_exceeded', 'what is over the receiver''s limit is not taken');
select is((select user_id from datasets where id = tests.u(100)), tests.u(1), 'and nothing has changed');
select is((select accepted_at from dataset_invitations, h where id = (r ->> 'invitation_id')::uuid), null, 'nor is the offer used up');
update user_limits set stored_bytes_max = null, partitions_max = 1 where user_id = tests.u(4);
select throws_ok($$select accept_invitation(tests.u(4), r ->> 'token') from h$$, 'SD429', 'quota_exceeded', 'partitions count too');
delete from user_limits;
select is(accept_invitation(tests.u(4), r ->> 'token') ->> 'role', 'owner', 'the receiver takes it') from h;
select is((select user_id from datasets where id = tests.u(100)), tests.u(4), 'and owns it');
select is(sediment.dataset_role(tests.u(1), tests.u(100)), 'reader', 'the old owner is what was asked');
select is((select row_count from datasets where id = tests.u(100)), rows, 'no row is gone') from before;
select throws_ok($$select tests.commit_stage(s, 1, 'on its way', jsonb_build_array(tests.file('port', '2024-11-25', 10))) from before$$, 'SD403', 'dataset_forbidden', 'what the old owner has staged can''t be committed');
select throws_ok($$select accept_invitation(tests.u(8), open ->> 'token') from h$$, 'SD410', 'invitation_gone', 'the old owner''s offers have ended');
select is(sediment.dataset_role(tests.u(2), tests.u(100)), 'writer', 'members stay');
select is(tests.upload(2, 100, 'afterwards') -> 'duplicate', 'false', 'and write on');
select is(sediment.stored_bytes(tests.u(1)), 0::bigint, 'it counts for the old owner no more');
select ok(sediment.stored_bytes(tests.u(4)) > 0, 'but for the new one');
select is(accept_invitation(tests.u(4), r ->> 'token') ->> 'role', 'owner', 'asked again it answers the same') from h;
select throws_ok($$select delete_data(tests.u(1), tests.u(100))$$, 'SD403', 'dataset_forbidden', 'the old owner deletes nothing');
select throws_ok($$select remove_member(tests.u(4), tests.u(100), tests.u(4))$$, 'SD400', 'invalid_request', 'an owner can''t leave');
select is((select deletion_status(tests.u(4), id) ->> 'kind' from deletions where dataset_id = tests.u(100) limit 1), 'upload', 'receipts follow the dataset');
create temp table n as select tests.invite(4, 100, 'owner') as r;
select is(accept_invitation(tests.u(2), r ->> 'token') ->> 'role', 'owner', 'a member takes it over') from n;
select is(sediment.dataset_role(tests.u(4), tests.u(100)), null, 'the old owner is nothing where nothing was asked');
select is((select count(*) from dataset_members where user_id = tests.u(2)), 0::bigint, 'an owner is no member');

-- users who are deleted
select tests.join_as(7, 100, 'writer');
create temp table gone as select tests.invite(2, 100, 'owner') as r;
select delete_user(tests.u(7));
select throws_ok($$select list_files(tests.u(7), tests.u(100))$$, 'SD410', 'user_deleted', 'a member who was deleted reads no more');
select throws_ok($$select accept_invitation(tests.u(7), r ->> 'token') from gone$$, 'SD410', 'user_deleted', 'nor takes anything over');
select advance_deletions() from generate_series(1, 5);
select is((select count(*) from dataset_members where user_id = tests.u(7)), 0::bigint, 'the membership goes with the user');
select is((select deleted_at from datasets where id = tests.u(100)), null, 'and nobody else''s dataset');
select delete_user(tests.u(2));
select throws_ok($$select accept_invitation(tests.u(8), r ->> 'token') from gone$$, 'SD410', 'user_deleted', 'what is to be deleted with its owner is not handed over');
select advance_deletions() from generate_series(1, 5);
select throws_ok($$select accept_invitation(tests.u(8), r ->> 'token') from gone$$, 'SD410', 'dataset_deleted', 'nor what was deleted');
select throws_ok($$select list_members(tests.u(3), tests.u(100))$$, 'SD410', 'dataset_deleted', 'a member is told that it was');

select * from finish();
rollback;
