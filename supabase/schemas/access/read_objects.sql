-- Who may read a dataset reads its data files in the store too, by Storage's own API and its S3 protocol, with the session as
-- it is: nothing else of the bucket, and nobody writes. What is asked once a statement comes first, so that listings of a
-- large bucket are cheap: the bucket, the operation, then the dataset, which is the second part of keys. Signing is none of the operations:
-- a URL that somebody signs for years would outlive their rights.
--   https://github.com/supabase/storage/blob/master/src/http/routes/operations.ts
drop policy if exists sediment_readers on storage.objects;
create policy sediment_readers on storage.objects for select to authenticated using (
  bucket_id = (select sediment.storage_bucket())
  and (select regexp_replace(coalesce(current_setting('storage.operation', true), ''), '^storage\.', '') = any (array[
    'object.get_authenticated', 'object.info_authenticated', 'object.get_authenticated_info',
    'object.head_authenticated_info', 'object.list', 'object.list_v2', 's3.object.get', 's3.object.info', 's3.object.list']))
  and split_part(name, '/', 2) = any (array(
    select d.id::text from public.datasets d where d.user_id = (select auth.uid())
    union all
    select m.dataset_id::text from public.dataset_members m where m.user_id = (select auth.uid())
      and (m.expires_at is null or m.expires_at > now())))
  and sediment.is_readable_object(name)
);

-- asked by the policy, as its caller; the schema stays closed
grant execute on function sediment.storage_bucket() to authenticated;
grant execute on function sediment.is_readable_object(text) to authenticated;
