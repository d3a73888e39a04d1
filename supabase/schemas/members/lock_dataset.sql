-- sediment.require_dataset, with the dataset's row locked: what changes who may do what comes one after another, and
-- before or after each commit, which holds the row too (sediment.refuse_removed_writers).
create or replace function sediment.lock_dataset(p_user uuid, p_dataset uuid, p_needed text)
returns public.datasets
language plpgsql
set search_path = ''
as $$
begin
  perform 1 from public.datasets d where d.id = p_dataset for no key update;
  -- a statement after the lock: it sees what was waited for
  return sediment.require_dataset(p_user, p_dataset, p_needed);
end $$;
