-- Ends a membership: by the owner, or by the member, who leaves. What they have uploaded stays, since it is the dataset's;
-- what they have staged can't be committed any more. A key is no member: revoke_key ends it. Returns {dataset_id, user_id, removed: false where there was none}.
-- Raises not_found, dataset_forbidden, dataset_deleted, user_deleted, invalid_request (the owner hands over, and leaves then).
create or replace function public.remove_member(p_user uuid, p_dataset uuid, p_member uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
  v_removed boolean;
begin
  d := sediment.lock_dataset(p_user, p_dataset, case when p_user = p_member then 'reader' else 'owner' end);
  if d.user_id = p_member then
    perform sediment.fail('invalid_request', 400, 'the owner is no member', 'a handover: an invitation of role owner');
  end if;
  delete from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_member and m.key_id is null;
  v_removed := found;
  -- another offer that they hold would bring them back
  update public.dataset_invitations x set revoked_at = clock_timestamp()
  where x.dataset_id = d.id and x.user_id = p_member and x.accepted_at is null and x.revoked_at is null;
  return jsonb_build_object('dataset_id', d.id, 'user_id', p_member, 'removed', v_removed);
end $$;
