-- What a dataset holds at a version, all its tables together: {files, rows, bytes, uncompressed_bytes}. Null where nobody
-- counted: of versions from before totals were kept, and of those that came while a deletion was being carried out, whose
-- files leave the sums one after the other and the lists at once.
create or replace function sediment.version_totals(d public.datasets, p_version bigint)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v public.dataset_versions;
begin
  if p_version = 0 then
    return jsonb_build_object('files', 0, 'rows', 0, 'bytes', 0, 'uncompressed_bytes', 0);
  end if;
  select * into v from public.dataset_versions x where x.dataset_id = d.id and x.version = p_version;
  if d.deletion_version > 0 and exists (
    select 1 from public.deletions x
    where x.dataset_id = d.id and x.version <= p_version and x.upload_id is null
      and (x.removed_at is null or (p_version < d.version and p_version <= coalesce(x.removed_through, d.version))))
  then
    return null;
  end if;
  if p_version = d.version then
    return jsonb_build_object('files', d.file_count, 'rows', d.row_count, 'bytes', d.file_size_bytes,
      'uncompressed_bytes', d.uncompressed_bytes);
  end if;
  return case when v.file_count is not null then jsonb_build_object('files', v.file_count, 'rows', v.row_count,
    'bytes', v.file_size_bytes, 'uncompressed_bytes', v.uncompressed_bytes) end;
end $$;
