-- What counts against stored_bytes_max.
create or replace function sediment.stored_bytes(p_user uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
    where d.user_id = any (array[p_user])
  ) + coalesce((select u.asset_bytes from public.user_usage u where u.user_id = p_user), 0);
end $$;
