-- The dataset that a call is about, for those who may: p_user null is the service itself. A stranger's answer is 403 and
-- tells nothing of it. One that was deleted is 410 for all but the service, which can still read the versions that are
-- kept. Raises not_found, dataset_forbidden, user_deleted, dataset_deleted.
create or replace function sediment.require_dataset(p_user uuid, p_dataset uuid, p_needed text default 'reader')
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
  perform sediment.require_role(p_user, p_dataset, p_needed);
  if p_user is not null then
    perform sediment.refuse_deleted_user(p_user);
  end if;
  if p_user is not null and v_dataset.deleted_at is not null then
    perform sediment.fail('dataset_deleted', 410, format('dataset %s was deleted on %s', p_dataset,
      v_dataset.deleted_at));
  end if;
  return v_dataset;
end $$;
