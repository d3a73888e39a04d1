-- Deletes all that a user has: datasets, assets, what limits have counted. From here on the user is refused everywhere,
-- for good (user_deleted); the rest goes in slices (advance_deletions). Asked again it gives the same receipt; p_purge
-- can be added later. Returns the receipt (sediment.deletion_receipt).
create or replace function public.delete_user(p_user uuid, p_by uuid default null, p_purge boolean default false)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  x public.deletions;
begin
  if p_user is null then
    perform sediment.fail('invalid_request', 400, 'p_user is needed');
  end if;
  perform sediment.refuse_key(p_user);
  -- an asset that is being committed is there before the mark, or sees it
  perform sediment.lock_quota(p_user);
  insert into public.deletions as y (kind, user_id, requested_by, purge)
  values ('user', p_user, p_by, coalesce(p_purge, false))
  on conflict (user_id) where kind = 'user' do update
  set purge = true, state = case when y.purge then y.state else 'marked' end, removed_at = null, purged_at = null,
    forgotten_at = null
  where excluded.purge and not y.purge;
  select * into strict x from public.deletions y where y.user_id = p_user and y.kind = 'user';
  return sediment.deletion_receipt(x);
end $$;
