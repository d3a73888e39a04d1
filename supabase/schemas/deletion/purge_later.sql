-- Makes a purge of an upload's deletion that was asked for without one: of what is removed the bytes go now and the older
-- versions end, as if it had been one from the beginning; of what is pending, when the rewrite is done. Locks the deletion, then
-- the dataset, as its slices do. Returns the deletion.
create or replace function sediment.purge_later(p_deletion uuid)
returns public.deletions
language plpgsql
set search_path = ''
as $$
declare
  x public.deletions;
begin
  update public.deletions y
  set purge = true, purged_at = null, forgotten_at = null, after_table = '', after_period_tag = '', after_hash = ''
  where y.id = p_deletion and not y.purge;
  select * into strict x from public.deletions y where y.id = p_deletion;
  if x.state <> 'pending' then
    perform 1 from public.datasets d where d.id = x.dataset_id for no key update;
    perform sediment.end_versions(x.dataset_id, x.version);
  end if;
  return x;
end $$;
