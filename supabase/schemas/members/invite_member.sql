-- Offers a role in a dataset: the token that comes back, once, is what accept_invitation takes. Role owner hands the
-- dataset over to whoever accepts.
--   p_user: the owner; null for the service itself
--   p_role: owner, writer, reader
--   p_invitee: the only user who may accept; null: whoever holds the token
--   p_keep_role: of a handover, what the old owner becomes: writer, reader, or null for nothing
--   p_ttl_seconds: until when it can be accepted, 1 minute to 30 days
-- Returns {invitation_id, dataset_id, role, user_id|null, keep_role|null, token, expires_at}.
-- Raises not_found, dataset_forbidden, dataset_deleted, user_deleted, invalid_request, quota_exceeded, rate_limited.
create or replace function public.invite_member(
  p_user uuid, p_dataset uuid, p_role text, p_invitee uuid default null, p_keep_role text default null,
  p_ttl_seconds integer default 604800
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  -- members, and offers that are open, of one dataset
  v_most constant integer := 1000;
  v_now constant timestamptz := clock_timestamp();
  v_token constant text := 'sdi_' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
  d public.datasets;
  i public.dataset_invitations;
begin
  if (p_role in ('owner', 'writer', 'reader')) is not true
    or p_keep_role is not null and (p_role <> 'owner' or p_keep_role not in ('writer', 'reader'))
  then
    perform sediment.fail('invalid_request', 400, 'the role is none, or the one to keep is not of a handover',
      'role owner, writer or reader; keep_role writer or reader, beside role owner');
  end if;
  if (p_ttl_seconds between 60 and 2592000) is not true then
    perform sediment.fail('invalid_request', 400, format('the invitation would last %s s', p_ttl_seconds),
      '60 to 2592000 seconds');
  end if;
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  if p_invitee = d.user_id then
    perform sediment.fail('invalid_request', 400, 'the dataset is that user''s already', 'another user');
  end if;
  delete from public.dataset_invitations x
  where x.dataset_id = d.id and x.expires_at < v_now - interval '30 days';
  if v_most <= (select count(*) from public.dataset_members m where m.dataset_id = d.id and m.key_id is null) + (
    select count(*) from public.dataset_invitations x where x.dataset_id = d.id and x.expires_at > v_now
      and x.accepted_at is null and x.revoked_at is null)
  then
    perform sediment.fail('quota_exceeded', 429, format('members: the dataset has %s, with open invitations', v_most),
      format('at most %s members and open invitations', v_most));
  end if;
  insert into public.dataset_invitations (dataset_id, role, token_hash, user_id, keep_role, invited_by, expires_at)
  values (d.id, p_role, encode(sha256(convert_to(v_token, 'UTF8')), 'hex'), p_invitee, p_keep_role, p_user,
    v_now + make_interval(secs => p_ttl_seconds))
  returning * into strict i;
  perform sediment.spend_request(p_user);
  return jsonb_build_object('invitation_id', i.id, 'dataset_id', d.id, 'role', i.role, 'user_id', i.user_id,
    'keep_role', i.keep_role, 'token', v_token, 'expires_at', i.expires_at);
end $$;
