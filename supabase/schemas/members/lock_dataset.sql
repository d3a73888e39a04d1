-- sediment.require_dataset, with the dataset's row locked: what changes who may do what comes one after another, and
-- before or after each commit, which holds the row too (sediment.refuse_removed_writers). In a dataset that was deleted
-- nothing of it changes any more, for the service neither: 410 dataset_deleted.
create or replace function sediment.lock_dataset(p_user uuid, p_dataset uuid, p_needed text)
returns public.datasets
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
begin
  perform 1 from public.datasets x where x.id = p_dataset for no key update;
  -- a statement after the lock: it sees what was waited for
  d := sediment.require_dataset(p_user, p_dataset, p_needed);
  if d.deleted_at is not null then
    perform sediment.fail('dataset_deleted', 410, format('dataset %s was deleted on %s', d.id, d.deleted_at));
  end if;
  return d;
end $$;
