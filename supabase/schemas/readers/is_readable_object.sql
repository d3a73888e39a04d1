-- Whether the caller may read an object of the store by itself: by Storage's API, or by its S3 protocol. It is one of which
-- get_file would serve all, a whole data file that a kept version shows, or what was written for readers of Iceberg of
-- the dataset. A body of several tables is not: rows of one that
-- was deleted stay in it as long as another is there. Definer, since it is asked by a policy, of rows that readers of the
-- dataset do not all see; it answers for nobody but the caller.
create or replace function sediment.is_readable_object(p_key text)
returns boolean
language plpgsql
stable
security definer
cost 1000
set search_path = ''
as $$
begin
  return (exists (
    select 1 from public.battle_files f join public.datasets d on d.id = f.dataset_id
    where f.object_key = p_key and f.start_byte = 0 and f.object_key like '%.parquet'
      and d.deleted_at is null and (f.removed_version is null or f.removed_version > d.oldest_kept_version)
      and not (d.deletion_version > f.added_version and sediment.is_marked(f, d.oldest_kept_version))
      and sediment.dataset_role(auth.uid(), d.id) is not null)
    or exists (
    select 1 from public.objects o join public.datasets d on d.id = o.dataset_id
    where o.object_key = p_key and o.kind = 'lake' and o.state in ('stored', 'deleting') and d.deleted_at is null
      and sediment.dataset_role(auth.uid(), d.id) is not null))
    and not exists (select 1 from public.deletions x where x.user_id = auth.uid() and x.kind = 'user');
end $$;
