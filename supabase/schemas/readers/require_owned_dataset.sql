-- The owner check of every reading function: p_user null is the service itself. Another's dataset is 403 and
-- the answer tells nothing of it. One that was deleted is 410 for all but the service, which can still read the versions
-- that are kept.
create or replace function sediment.require_owned_dataset(p_user uuid, p_dataset uuid)
returns public.datasets
language plpgsql
stable
set search_path = ''
as $$
declare
  v_dataset public.datasets;
begin
  select * into v_dataset from public.datasets d where d.id = p_dataset;
  if not found then
    perform sediment.fail('not_found', 404, format('there is no dataset %s', p_dataset));
  end if;
  if p_user is not null and v_dataset.user_id <> p_user then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p_dataset));
  end if;
  if p_user is not null then
    perform sediment.refuse_deleted_user(p_user);
  end if;
  if p_user is not null and v_dataset.deleted_at is not null then
    perform sediment.fail('dataset_deleted', 410, format('dataset %s was deleted on %s', p_dataset,
      v_dataset.deleted_at));
  end if;
  return v_dataset;
end $$;
