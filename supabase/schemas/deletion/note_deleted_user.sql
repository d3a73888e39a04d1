-- A user who is deleted in Auth is deleted here. Auth's table is not ours: the trigger only writes the mark, so that
-- nothing of ours can keep Auth from deleting; the clockwork does the rest. The user of a key had no data: with the user
-- the key is over, however it came to that.
create or replace function sediment.note_deleted_user()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  update public.dataset_keys k
  set ended_at = coalesce(k.ended_at, clock_timestamp()), end_reason = coalesce(k.end_reason, 'user_deleted'),
    remove_user_at = null
  where k.user_id = old.id;
  if found then
    delete from public.dataset_members m where m.user_id = old.id;
    return old;
  end if;
  insert into public.deletions (kind, user_id, requested_by) values ('user', old.id, old.id)
  on conflict (user_id) where kind = 'user' do nothing;
  return old;
end $$;
