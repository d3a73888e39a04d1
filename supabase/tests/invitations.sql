-- accept_invitation, revoke_invitation, remove_member: whose a token is, and when it is over.
begin;
\ir helpers/fixtures.sql
\ir helpers/members.sql
select no_plan();
set local role service_role;

select tests.upload(1, 100, 'a'), tests.upload(9, 900, 'z');
select tests.join_as(2, 100, 'writer'), tests.join_as(3, 100, 'reader');

-- tokens
create temp table i as select tests.invite(1, 100, 'reader') as r, tests.invite(1, 100, 'writer', 6) as bound,
  tests.invite(1, 100, 'writer') as w, tests.invite(1, 100, 'reader') as revoked, tests.invite(1, 100, 'reader') as old, tests.invite(1, 100, 'writer', 5) as further;
select throws_ok($$select accept_invitation(tests.u(5), 'sdi_0')$$, 'SD404', 'not_found', 'a token that is none');
select throws_ok($$select accept_invitation(tests.u(5), bound ->> 'token') from i$$, 'SD404', 'not_found', 'one that is for another');
select is(accept_invitation(tests.u(6), bound ->> 'token') ->> 'role', 'writer', 'who is named may take it') from i;
select is(accept_invitation(tests.u(5), r ->> 'token'), jsonb_build_object('dataset_id', tests.u(100), 'role', 'reader', 'owner_id', tests.u(1)), 'whoever holds it takes it') from i;
select is(accept_invitation(tests.u(5), r ->> 'token') ->> 'role', 'reader', 'asked again it answers the same') from i;
select throws_ok($$select accept_invitation(tests.u(7), r ->> 'token') from i$$, 'SD410', 'invitation_gone', 'a second user can''t take it');
select is(accept_invitation(tests.u(5), w ->> 'token') ->> 'role', 'writer', 'a member takes another role by another invitation') from i;
select is(remove_member(tests.u(1), tests.u(100), tests.u(5)) -> 'removed', 'true', 'the owner removes a member');
select throws_ok($$select accept_invitation(tests.u(5), w ->> 'token') from i$$, 'SD410', 'invitation_gone', 'who does not come back by the old token');
select throws_ok($$select accept_invitation(tests.u(5), further ->> 'token') from i$$, 'SD410', 'invitation_gone', 'nor by another offer that they hold');
select is(revoke_invitation(tests.u(1), tests.u(100), (revoked ->> 'invitation_id')::uuid) -> 'revoked', 'true', 'an offer is taken back') from i;
select is(revoke_invitation(tests.u(1), tests.u(100), (revoked ->> 'invitation_id')::uuid) -> 'revoked', 'false', 'once') from i;
select throws_ok($$select accept_invitation(tests.u(7), revoked ->> 'token') from i$$, 'SD410', 'invitation_gone', 'and is none any more');
update dataset_invitations set expires_at = clock_timestamp() from i where id = (old ->> 'invitation_id')::uuid;
select throws_ok($$select accept_invitation(tests.u(7), old ->> 'token') from i$$, 'SD410', 'invitation_gone', 'nor one that has expired');
select throws_ok($$select revoke_invitation(tests.u(9), tests.u(900), (old ->> 'invitation_id')::uuid) from i$$, 'SD404', 'not_found', 'another dataset''s is not there');

select * from finish();
rollback;
