-- What the files on members share, beside fixtures.sql.

create function tests.invite(p_user integer, p_dataset integer, p_role text, p_invitee integer default null, p_keep text default null)
returns jsonb language sql as $$
  select invite_member(tests.u(p_user), tests.u(p_dataset), p_role, tests.u(p_invitee), p_keep)
$$;
create function tests.join_as(p_user integer, p_dataset integer, p_role text) returns jsonb language sql as $$
  select accept_invitation(tests.u(p_user), invite_member(null, tests.u(p_dataset), p_role) ->> 'token')
$$;
