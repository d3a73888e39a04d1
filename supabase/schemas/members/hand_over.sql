-- Makes another user the owner of a dataset, all or nothing: it counts in the receiver's limits from here on and in the
-- old owner's no more. Invitations that are open end, and so do keys, since the old owner may hold them or have handed them
-- to people whom the new one can't know; members, who have names, stay. The caller has locked the quotas of both and the dataset. Raises quota_exceeded, user_deleted.
create or replace function sediment.hand_over(d public.datasets, p_to uuid, p_keep_role text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform sediment.refuse_deleted_user(d.user_id);
  perform sediment.check_dataset_quota(p_to, true);
  perform sediment.check_stored(p_to, d.file_size_bytes + d.retired_bytes);
  perform sediment.check_partition_quota(p_to, d.id, d.partition_count::integer, '{}');
  update public.datasets y set user_id = p_to, updated_at = clock_timestamp() where y.id = d.id;
  delete from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_to;
  if p_keep_role is not null then
    insert into public.dataset_members (dataset_id, user_id, role, invited_by)
    values (d.id, d.user_id, p_keep_role, d.user_id);
  end if;
  update public.dataset_invitations x set revoked_at = clock_timestamp()
  where x.dataset_id = d.id and x.accepted_at is null and x.revoked_at is null;
  perform sediment.end_keys(d.id, 'handed_over');
end $$;
