-- Who shares a dataset: {dataset_id, owner_id, role (the caller's; null of the service), members: [{user_id, role,
-- invited_by|null, since}], invitations: [{invitation_id, role, user_id|null, keep_role|null, created_at, expires_at}]}, at
-- most 1000 together (invite_member). The owner sees all, others themselves; invitations are those that are open; keys are
-- in list_keys.
-- Raises not_found, dataset_forbidden, dataset_deleted, user_deleted.
create or replace function public.list_members(p_user uuid, p_dataset uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  d constant public.datasets := sediment.require_dataset(p_user, p_dataset, 'reader');
  v_role constant text := sediment.dataset_role(p_user, p_dataset);
  v_all constant boolean := p_user is null or v_role = 'owner';
begin
  return jsonb_build_object('dataset_id', d.id, 'owner_id', d.user_id, 'role', v_role,
    'members', (
      select coalesce(jsonb_agg(jsonb_build_object('user_id', m.user_id, 'role', m.role, 'invited_by', m.invited_by,
        'since', m.since) order by m.since, m.user_id), '[]')
      from public.dataset_members m where m.dataset_id = d.id and m.key_id is null and (v_all or m.user_id = p_user)),
    'invitations', (
      select coalesce(jsonb_agg(jsonb_build_object('invitation_id', i.id, 'role', i.role, 'user_id', i.user_id,
        'keep_role', i.keep_role, 'created_at', i.created_at, 'expires_at', i.expires_at)
        order by i.created_at, i.id), '[]')
      from public.dataset_invitations i
      where v_all and i.dataset_id = d.id and i.accepted_at is null and i.revoked_at is null
        and i.expires_at > clock_timestamp()));
end $$;
