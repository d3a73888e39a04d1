-- A user who was deleted is refused everywhere, for good: their token may outlive them. Null is the service.
create or replace function sediment.refuse_deleted_user(p_user uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if exists (select 1 from public.deletions x where x.user_id = p_user and x.kind = 'user') then
    perform sediment.fail('user_deleted', 410, format('user %s was deleted', p_user), 'another account');
  end if;
end $$;
