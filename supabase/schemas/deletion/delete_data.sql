-- Deletes a dataset, a table of it, a period of all its tables or of one: gone with the version that the receipt names.
-- The files go in slices afterwards (advance_deletions). A dataset's id stays taken: it answers dataset_deleted for good,
-- and deleting it again gives the first receipt (with p_purge, where the first was not, one more).
--   p_user: null for the service itself, else the owner
--   p_purge: objects go at once, and with them all older versions of the dataset
-- Returns the receipt (sediment.deletion_receipt). Raises not_found, dataset_forbidden, invalid_name, rate_limited.
create or replace function public.delete_data(
  p_user uuid, p_dataset uuid, p_table text default null, p_period_tag text default null, p_purge boolean default false
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
  x public.deletions;
  v_failure jsonb := coalesce(
    case when p_table is not null then sediment.name_failure('table', p_table) end,
    case when p_period_tag is not null then sediment.name_failure('period_tag', p_period_tag) end);
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  -- the dataset's row alone: whoever waits for it holds partitions, and this call wants none
  select * into d from public.datasets y where y.id = p_dataset for no key update;
  if not found then
    perform sediment.fail('not_found', 404, format('there is no dataset %s', p_dataset));
  end if;
  perform sediment.require_role(p_user, d.id, 'owner');
  if d.deleted_at is not null then
    select * into x from public.deletions y
    where y.dataset_id = d.id and y.kind = 'dataset' order by y.purge desc, y.version limit 1;
    if x.purge or not coalesce(p_purge, false) then
      return sediment.deletion_receipt(x);
    end if;
    x := sediment.mark_deletion(d, p_user, null, null, true, null);
    perform sediment.spend_request(p_user);
    return sediment.deletion_receipt(x);
  end if;
  p_table := sediment.table_of(d.id, p_table);
  if (p_table is not null or p_period_tag is not null) and not exists (
    select 1 from public.partitions p where p.dataset_id = d.id and (p_table is null or p."table" = p_table)
      and (p_period_tag is null or p.period_tag = p_period_tag))
  then
    perform sediment.fail('not_found', 404, format('dataset %s has no data of %s', d.id,
      concat_ws('/', coalesce(p_table, '*'), p_period_tag)));
  end if;
  x := sediment.mark_deletion(d, p_user, p_table, p_period_tag, coalesce(p_purge, false), null);
  perform sediment.spend_request(p_user);
  return sediment.deletion_receipt(x);
end $$;
