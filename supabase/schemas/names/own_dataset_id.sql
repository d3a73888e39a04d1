-- The dataset that stands for another user's when a second account uploads from one installation: a UUID of version 8, made
-- of a keyed hash, so that nobody can take the id before. The same each time.
--   p_n: how many of these the user has handed on since
create or replace function sediment.own_dataset_id(p_user uuid, p_dataset uuid, p_n integer default 0)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_hex constant text := sediment.identity_digest(p_dataset, p_user::text, 'own dataset',
    coalesce(nullif(p_n, 0)::text, ''));
begin
  return (substr(v_hex, 1, 12) || '8' || substr(v_hex, 14, 3) || substr('89ab', 1 + ascii(substr(v_hex, 17, 1)) % 4, 1)
    || substr(v_hex, 18, 15))::uuid;
end $$;
