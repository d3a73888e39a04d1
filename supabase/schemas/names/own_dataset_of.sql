-- Where a second account's uploads from one installation go: the first of its own datasets (sediment.own_dataset_id) that is not
-- there yet or in which it may write. One that it has handed on is another's, and the next takes its place.
create or replace function sediment.own_dataset_of(p_user uuid, p_dataset uuid)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_most constant integer := 100;
  v_id uuid;
begin
  for i in 0 .. v_most loop
    v_id := sediment.own_dataset_id(p_user, p_dataset, i);
    exit when not exists (select 1 from public.datasets d where d.id = v_id)
      or sediment.role_suffices(sediment.dataset_role(p_user, v_id), 'writer');
  end loop;
  return v_id;
end $$;
