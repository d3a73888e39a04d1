-- The datasets in which a user has a role that suffices: what an index can be asked by.
create or replace function sediment.datasets_of(p_user uuid, p_needed text)
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select d.id from public.datasets d where d.user_id = p_user
    union all
    select m.dataset_id from public.dataset_members m
    where m.user_id = p_user and sediment.role_suffices(m.role, p_needed)
      and (m.expires_at is null or m.expires_at > clock_timestamp()));
end $$;
