-- invite_member, accept_invitation, list_members, remove_member, revoke_invitation: roles × functions.
begin;
\ir helpers/fixtures.sql
select no_plan();

create function tests.invite(p_user integer, p_dataset integer, p_role text, p_invitee integer default null, p_keep text default null)
returns jsonb language sql as $$
  select invite_member(tests.u(p_user), tests.u(p_dataset), p_role, tests.u(p_invitee), p_keep)
$$;
create function tests.join_as(p_user integer, p_dataset integer, p_role text) returns jsonb language sql as $$
  select accept_invitation(tests.u(p_user), invite_member(null, tests.u(p_dataset), p_role) ->> 'token')
$$;
-- what a call answers to a user: ok, or the code
create function tests.outcome(p_call text) returns text language plpgsql as $$
begin
  execute 'select ' || p_call;
  return 'ok';
exception when others then return sqlerrm;
end $$;
set local role service_role;

select tests.upload(1, 100, 'a'), tests.upload(9, 900, 'z');
create temp table f as select id from battle_files where dataset_id = tests.u(100);
create temp table r as select run_id as id from partitions where dataset_id = tests.u(100) limit 1;
create temp table up as select id from uploads where dataset_id = tests.u(100);
select tests.join_as(2, 100, 'writer'), tests.join_as(3, 100, 'reader');

-- users 1: owner, 2: writer, 3: reader, 4: stranger
create temp table calls (n integer, call text, owner text, writer text, reader text, stranger text);
insert into calls values
  (1, 'list_files(tests.u(%s), tests.u(100))', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (2, 'list_tables(tests.u(%s), tests.u(100))', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (3, 'version_at(tests.u(%s), tests.u(100), clock_timestamp())', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (4, 'get_file(tests.u(%s), (select id from f))', 'ok', 'ok', 'ok', 'not_found'),
  (5, 'run_status(tests.u(%s), (select id from r))', 'ok', 'ok', 'ok', 'run_not_found'),
  (6, 'list_members(tests.u(%s), tests.u(100))', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (7, 'stage_upload(tests.u(%s), tests.u(100), ''port'', ''0'', 100, tests.hash(''new''), '''')', 'ok', 'ok', 'dataset_forbidden', 'dataset_forbidden'),
  (8, 'request_compaction(tests.u(%s), tests.u(100))', 'ok', 'ok', 'dataset_forbidden', 'dataset_forbidden'),
  (9, 'retry_quarantined(tests.u(%s), tests.u(100))', 'ok', 'ok', 'dataset_forbidden', 'dataset_forbidden'),
  (10, 'delete_data(tests.u(%s), tests.u(100), ''nothing'')', 'not_found', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (11, 'delete_upload(tests.u(%s), (select id from up))', 'ok', 'not_found', 'not_found', 'not_found'),
  (12, 'invite_member(tests.u(%s), tests.u(100), ''reader'')', 'ok', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (13, 'invite_member(tests.u(%s), tests.u(100), ''owner'')', 'ok', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (14, 'remove_member(tests.u(%s), tests.u(100), tests.u(50))', 'ok', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (15, 'revoke_invitation(tests.u(%s), tests.u(100), tests.u(50))', 'not_found', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden');
select is(tests.outcome(format(c.call, x.n)), x.expected, format('%s: %s', x.who, c.call))
from calls c cross join lateral (values (4, 'stranger', c.stranger), (3, 'reader', c.reader), (2, 'writer', c.writer), (1, 'owner', c.owner)) x(n, who, expected)
order by c.n, x.n desc;

-- each of them with what it does
select is((select count(*) from dataset_members where dataset_id = tests.u(100)), 2::bigint, 'two members');
select is(list_members(tests.u(1), tests.u(100)) ->> 'role', 'owner', 'the owner is told so');
select is(jsonb_array_length(list_members(tests.u(3), tests.u(100)) -> 'members'), 1, 'a member sees the own row');
select is(jsonb_array_length(list_members(tests.u(3), tests.u(100)) -> 'invitations'), 0, 'and no invitations');
select is(jsonb_array_length(list_members(null, tests.u(100)) -> 'invitations'), 2, 'those that are open are listed');
select is((select count(*) from dataset_invitations where token_hash like 'sdi_%'), 0::bigint, 'no token is kept');
select throws_ok($$select list_members(tests.u(1), tests.u(999))$$, 'SD404', 'not_found', 'of what is not there there are no members');
select throws_ok($$select invite_member(tests.u(1), tests.u(100), 'admin')$$, 'SD400', 'invalid_request', 'there are three roles');
select throws_ok($$select invite_member(tests.u(1), tests.u(100), 'reader', null, 'writer')$$, 'SD400', 'invalid_request', 'only a handover keeps a role');
select throws_ok($$select invite_member(tests.u(1), tests.u(100), 'reader', null, null, 10)$$, 'SD400', 'invalid_request', 'an invitation lasts a minute at least');
select throws_ok($$select tests.invite(1, 100, 'reader', 1)$$, 'SD400', 'invalid_request', 'the owner needs no invitation');

-- tokens
create temp table i as select tests.invite(1, 100, 'reader') as r, tests.invite(1, 100, 'writer', 6) as bound,
  tests.invite(1, 100, 'writer') as w, tests.invite(1, 100, 'reader') as revoked, tests.invite(1, 100, 'reader') as old;
select throws_ok($$select accept_invitation(tests.u(5), 'sdi_0')$$, 'SD404', 'not_found', 'a token that is none');
select throws_ok($$select accept_invitation(tests.u(5), bound ->> 'token') from i$$, 'SD404', 'not_found', 'one that is for another');
select is(accept_invitation(tests.u(6), bound ->> 'token') ->> 'role', 'writer', 'who is named may take it') from i;
select is(accept_invitation(tests.u(5), r ->> 'token'), jsonb_build_object('dataset_id', tests.u(100), 'role', 'reader', 'owner_id', tests.u(1)), 'whoever holds it takes it') from i;
select is(accept_invitation(tests.u(5), r ->> 'token') ->> 'role', 'reader', 'asked again it answers the same') from i;
select throws_ok($$select accept_invitation(tests.u(7), r ->> 'token') from i$$, 'SD410', 'invitation_gone', 'a second user can''t take it');
select is(accept_invitation(tests.u(5), w ->> 'token') ->> 'role', 'writer', 'a member takes another role by another invitation') from i;
select is(remove_member(tests.u(1), tests.u(100), tests.u(5)) -> 'removed', 'true', 'the owner removes a member');
select throws_ok($$select accept_invitation(tests.u(5), w ->> 'token') from i$$, 'SD410', 'invitation_gone', 'who does not come back by the old token');
select is(revoke_invitation(tests.u(1), tests.u(100), (revoked ->> 'invitation_id')::uuid) -> 'revoked', 'true', 'an offer is taken back') from i;
select is(revoke_invitation(tests.u(1), tests.u(100), (revoked ->> 'invitation_id')::uuid) -> 'revoked', 'false', 'once') from i;
select throws_ok($$select accept_invitation(tests.u(7), revoked ->> 'token') from i$$, 'SD410', 'invitation_gone', 'and is none any more');
update dataset_invitations set expires_at = clock_timestamp() from i where id = (old ->> 'invitation_id')::uuid;
select throws_ok($$select accept_invitation(tests.u(7), old ->> 'token') from i$$, 'SD410', 'invitation_gone', 'nor one that has expired');
select throws_ok($$select revoke_invitation(tests.u(9), tests.u(900), (old ->> 'invitation_id')::uuid) from i$$, 'SD404', 'not_found', 'another dataset''s is not there');

-- uploads of members
select tests.upload(2, 100, 'by a writer', 'port', '2024-11-26');
select is((select uploaded_by from battle_files where dataset_id = tests.u(100) and period_tag = '2024-11-26'), tests.u(2), 'a file knows who has uploaded it');
select is((tests.upload(1, 100, 'by a writer', 'port', '2024-11-26')) -> 'duplicate', 'true', 'the same bytes by another of the dataset are a duplicate');
create temp table late as select tests.stage(6, 100, 'late') as s, tests.stage(6, 100, 'late too', 'new_table') as n, tests.stage(6, 100, 'by a writer', 'port', '2024-11-26') as d;
select is(remove_member(tests.u(6), tests.u(100), tests.u(6)) -> 'removed', 'true', 'a member leaves');
select throws_ok($$select tests.commit_stage(s, 6, 'late', jsonb_build_array(tests.file('port', '2024-11-25', 10))) from late$$, 'SD403', 'dataset_forbidden', 'what was staged before can''t be committed');
select throws_ok($$select tests.commit_stage(d, 6, 'by a writer', '[]') from late$$, 'SD403', 'dataset_forbidden', 'nor is a duplicate''s answer told');
select throws_ok($$select get_upload((s ->> 'stage_id')::uuid, tests.u(6)) from late$$, 'SD403', 'dataset_forbidden', 'a direct upload is not completed');
select is(abandon_upload((s ->> 'stage_id')::uuid, tests.u(6)) -> 'abandoned', 'true', 'it can be given up') from late;
select is(group_upload_calls('[]', jsonb_build_array(
    jsonb_build_object('p_stage', s ->> 'stage_id', 'p_user', tests.u(2), 'p_size', 100, 'p_etag', 'e', 'p_content_hash', tests.hash('g1'), 'p_files', jsonb_build_array(tests.file('port', '2024-11-25', 10))),
    jsonb_build_object('p_stage', g ->> 'stage_id', 'p_user', tests.u(7), 'p_size', 100, 'p_etag', 'e', 'p_content_hash', tests.hash('g2'), 'p_files', jsonb_build_array(tests.file('port', '2024-11-25', 10))))) -> 'commits' @> '[{"error": {"message": "dataset_forbidden"}}]', true, 'of a group the removed one''s is refused')
from (select tests.stage(2, 100, 'g1') as s, tests.join_as(7, 100, 'writer') as j) a
cross join lateral (select tests.stage(7, 100, 'g2') as g) b
cross join lateral (select remove_member(null, tests.u(100), tests.u(7))) c;
select is((select count(*) from uploads where content_hash in (tests.hash('g2'), tests.hash('late'))), 0::bigint, 'and leaves nothing in the ledger');
select is((select count(*) from uploads where content_hash = tests.hash('g1')), 1::bigint, 'the other''s is acknowledged');

-- limits count for the owner
insert into user_limits (user_id, uploads_per_minute) values (tests.u(1), 1);
update user_usage set minute_start = date_trunc('minute', clock_timestamp()), minute_uploads = 1 where user_id = tests.u(1);
select throws_ok($$select tests.stage(2, 100, 'one more')$$, 'SD429', 'rate_limited', 'a writer''s uploads count for the owner');
select lives_ok($$select tests.stage(2, 200, 'my own')$$, 'and not for the writer');
update user_limits set uploads_per_minute = null, stored_bytes_max = 300 where user_id = tests.u(1);
select throws_ok($$select tests.stage(2, 100, 'too much')$$, 'SD429', 'quota_exceeded', 'so do stored bytes');
delete from user_limits;

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
