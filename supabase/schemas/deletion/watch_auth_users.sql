-- Has Auth tell of its deleted users, where its table is in this database (an embedded Auth may keep its users
-- elsewhere, and calls delete_user). On hosted projects postgres may create a trigger on it, and not drop one.
create or replace function sediment.watch_auth_users(p_users text default 'auth.users')
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if to_regclass(p_users) is null then
    return false;
  end if;
  if exists (select 1 from pg_catalog.pg_trigger t
    where t.tgrelid = to_regclass(p_users) and t.tgname = 'sediment_note_deleted_user')
  then
    return true;
  end if;
  execute format('create trigger sediment_note_deleted_user after delete on %s
    for each row execute function sediment.note_deleted_user()', to_regclass(p_users));
  return true;
end $$;

select sediment.watch_auth_users();
