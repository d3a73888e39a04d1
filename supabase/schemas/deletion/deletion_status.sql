-- The receipt of a deletion, for who asked for it and for whoever reads the dataset; p_user null is the service. Another's is
-- not_found: an id tells nothing.
create or replace function public.deletion_status(p_user uuid, p_deletion uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  x public.deletions;
begin
  select * into x from public.deletions y where y.id = p_deletion;
  if not found or (p_user is not null and x.requested_by is distinct from p_user
    and (x.dataset_id is not null or x.user_id <> p_user)
    and sediment.dataset_role(p_user, x.dataset_id) is null) then
    perform sediment.fail('not_found', 404, format('there is no deletion %s', p_deletion));
  end if;
  return sediment.deletion_receipt(x);
end $$;
