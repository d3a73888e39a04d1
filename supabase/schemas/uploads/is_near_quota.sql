-- Whether commits that are on their way could pass a limit together with these bytes: it is that near.
create or replace function sediment.is_near_quota(p_user uuid, p_bytes bigint, p_max bigint)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return p_bytes + sediment.stored_bytes(p_user) > p_max - greatest(p_max / 20, 1073741824);
end $$;
