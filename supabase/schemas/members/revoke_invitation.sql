-- Takes an offer back that nobody has accepted. Returns {dataset_id, invitation_id, revoked: false where it was accepted,
-- revoked or expired before}. Raises not_found, dataset_forbidden, dataset_deleted, user_deleted.
create or replace function public.revoke_invitation(p_user uuid, p_dataset uuid, p_invitation uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
begin
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  if not exists (select 1 from public.dataset_invitations i where i.id = p_invitation and i.dataset_id = d.id) then
    perform sediment.fail('not_found', 404, format('there is no invitation %s', p_invitation));
  end if;
  update public.dataset_invitations i set revoked_at = clock_timestamp()
  where i.id = p_invitation and i.accepted_at is null and i.revoked_at is null and i.expires_at > clock_timestamp();
  return jsonb_build_object('dataset_id', d.id, 'invitation_id', p_invitation, 'revoked', found);
end $$;
