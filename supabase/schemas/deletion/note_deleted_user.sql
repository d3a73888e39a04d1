-- A user who is deleted in Auth is deleted here. Auth's table is not ours: the trigger only writes the mark, so that
-- nothing of ours can keep Auth from deleting; the clockwork does the rest.
create or replace function sediment.note_deleted_user()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into public.deletions (kind, user_id, requested_by) values ('user', old.id, old.id)
  on conflict (user_id) where kind = 'user' do nothing;
  return old;
end $$;
