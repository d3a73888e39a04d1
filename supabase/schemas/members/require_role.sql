-- Refuses a user whose role in a dataset is less than what is needed; null is the service itself. A stranger is told
-- nothing of the dataset. Raises dataset_forbidden.
create or replace function sediment.require_role(p_user uuid, p_dataset uuid, p_needed text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  v_role constant text := sediment.dataset_role(p_user, p_dataset);
begin
  if p_user is null or sediment.role_suffices(v_role, p_needed) then
    return;
  end if;
  if v_role is null then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p_dataset));
  end if;
  perform sediment.fail('dataset_forbidden', 403, format('in dataset %s the user is a %s', p_dataset, v_role),
    format('the role %s', p_needed));
end $$;
