-- Roles × functions; list_members.
begin;
\ir helpers/fixtures.sql
\ir helpers/members.sql
select no_plan();
set local role service_role;

select tests.upload(1, 100, 'a'), tests.upload(9, 900, 'z');
create temp table f as select id from battle_files where dataset_id = tests.u(100);
create temp table r as select run_id as id from partitions where dataset_id = tests.u(100) limit 1;
create temp table up as select id from uploads where dataset_id = tests.u(100);
select tests.join_as(2, 100, 'writer'), tests.join_as(3, 100, 'reader');
select is(list_files(tests.u(3), tests.u(100)) ->> 'signed_url_seconds', '3600', 'URLs that a member is given live as long as the owner''s');

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

select * from finish();
rollback;
