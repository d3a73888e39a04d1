-- Refuses the user of a key what users may by themselves: to have datasets and assets, roles elsewhere, to be deleted. In
-- the dataset it is a reader, and needs no refusal of its own. Null is the service. Raises key_read_only.
create or replace function sediment.refuse_key(p_user uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if exists (select 1 from public.dataset_keys k where k.user_id = p_user) then
    perform sediment.fail('key_read_only', 403, 'the session is that of a key, which reads one dataset and does nothing else',
      'a user''s own session');
  end if;
end $$;
