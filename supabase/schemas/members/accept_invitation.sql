-- Takes an offered role. A handover locks the quotas of both users, the lesser id first, before the dataset, as commits
-- do. Asked again by who has accepted it answers the same, as long as they have the role.
-- Returns {dataset_id, role, owner_id}. Raises not_found (no such token, or for another user), invitation_gone,
-- dataset_deleted, user_deleted, quota_exceeded, key_read_only.
create or replace function public.accept_invitation(p_user uuid, p_token text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_hash constant text := encode(sha256(convert_to(p_token, 'UTF8')), 'hex');
  v_owner uuid;
  d public.datasets;
  i public.dataset_invitations;
begin
  select * into i from public.dataset_invitations x where x.token_hash = v_hash;
  if not found or p_user is null or i.user_id <> p_user then
    perform sediment.fail('not_found', 404, 'there is no such invitation', 'a token that an owner has sent');
  end if;
  perform sediment.refuse_deleted_user(p_user);
  perform sediment.refuse_key(p_user);
  select y.user_id into strict v_owner from public.datasets y where y.id = i.dataset_id;
  if i.role = 'owner' then
    perform sediment.lock_quota(least(v_owner, p_user));
    perform sediment.lock_quota(greatest(v_owner, p_user));
  end if;
  -- once more: who deletes a user holds their quota while they do
  perform sediment.refuse_deleted_user(p_user);
  d := sediment.lock_dataset(null, i.dataset_id, 'owner');
  select * into strict i from public.dataset_invitations x where x.id = i.id for no key update;
  if i.accepted_by = p_user and sediment.dataset_role(p_user, d.id) = i.role then
    return jsonb_build_object('dataset_id', d.id, 'role', i.role, 'owner_id', d.user_id);
  end if;
  if i.accepted_at is not null or i.revoked_at is not null or i.expires_at <= clock_timestamp()
    or i.role = 'owner' and d.user_id <> v_owner
  then
    perform sediment.fail('invitation_gone', 410, case
      when i.accepted_at is not null then 'the invitation was accepted before'
      when i.revoked_at is not null then 'the invitation was revoked'
      when i.expires_at <= clock_timestamp() then format('the invitation has expired on %s', i.expires_at)
      else 'the dataset was handed over meanwhile' end, 'a new invitation');
  end if;
  if d.user_id = p_user then
    perform sediment.fail('invalid_request', 400, 'the dataset is the user''s own', 'another user');
  end if;
  -- before a handover ends those that are open
  update public.dataset_invitations x set accepted_at = clock_timestamp(), accepted_by = p_user where x.id = i.id;
  if i.role = 'owner' then
    perform sediment.hand_over(d, p_user, i.keep_role);
  else
    insert into public.dataset_members as m (dataset_id, user_id, role, invited_by)
    values (d.id, p_user, i.role, i.invited_by)
    on conflict (dataset_id, user_id) do update set role = excluded.role, invited_by = excluded.invited_by;
  end if;
  return jsonb_build_object('dataset_id', d.id, 'role', i.role,
    'owner_id', case when i.role = 'owner' then p_user else d.user_id end);
end $$;
