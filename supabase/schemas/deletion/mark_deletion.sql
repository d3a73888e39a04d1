-- Marks a scope of a dataset as deleted, at a new version: from it on readers do not see it, stages that are open can't
-- be committed, and no run can merge what is in it. The dataset's lock orders that with every commit; the caller holds
-- no lock but perhaps this one. With p_purge all older versions end here. Returns the receipt's row.
create or replace function sediment.mark_deletion(
  d public.datasets, p_user uuid, p_table text, p_period_tag text, p_purge boolean, p_parent uuid
)
returns public.deletions
language plpgsql
set search_path = ''
as $$
declare
  v_kind constant text := case when p_period_tag is not null then 'period' when p_table is not null then 'table'
    else 'dataset' end;
  v_version public.dataset_versions;
  x public.deletions;
begin
  v_version := (sediment.next_versions(array[row(d.id, 0, 0, 0, 0, null)::sediment.dataset_change]))[1];
  insert into public.deletions (kind, user_id, requested_by, dataset_id, "table", period_tag, parent_id, version, purge)
  values (v_kind, d.user_id, p_user, d.id, p_table, p_period_tag, p_parent, v_version.version, p_purge)
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version.version,
    deleted_at = case when v_kind = 'dataset' then coalesce(y.deleted_at, clock_timestamp()) else y.deleted_at end
  where y.id = d.id;
  if p_purge then
    perform sediment.end_versions(d.id, v_version.version);
  end if;
  -- for the lake its files are gone at once, too
  insert into public.lake_pending (dataset_id, version, change)
  select d.id, v_version.version, 'removed'
  where exists (select 1 from public.lake_tables t where t.withdrawn_at is null and (p_table is null or t.name = p_table));
  if v_kind = 'dataset' then
    perform sediment.end_keys(d.id, 'dataset_deleted');
  end if;
  return x;
end $$;
