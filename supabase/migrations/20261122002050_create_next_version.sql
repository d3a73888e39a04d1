-- Moves the version counter and the dataset's totals, and takes the dataset row's lock, which orders the
-- commits of a dataset: call it after the partitions' locks and before the queue. Where the clock went
-- backwards committed_at goes on by a microsecond.
create or replace function sediment.next_version(
  p_dataset uuid, p_files bigint, p_bytes bigint, p_rows bigint, p_uncompressed bigint,
  p_compacted_etag text default null
)
returns public.dataset_versions
language plpgsql
set search_path = ''
as $$
declare
  v_version public.dataset_versions;
begin
  update public.datasets d
  set version = d.version + 1,
    version_committed_at = greatest(clock_timestamp(), d.version_committed_at + interval '1 microsecond'),
    file_count = d.file_count + p_files,
    file_size_bytes = d.file_size_bytes + p_bytes,
    row_count = d.row_count + p_rows,
    uncompressed_bytes = d.uncompressed_bytes + p_uncompressed,
    compression_ratio = round((d.uncompressed_bytes + p_uncompressed)::numeric
      / nullif(d.file_size_bytes + p_bytes, 0), 3),
    file_etag = coalesce(p_compacted_etag, d.file_etag),
    last_compacted_at = case when p_compacted_etag is null then d.last_compacted_at else clock_timestamp() end,
    updated_at = clock_timestamp()
  where d.id = p_dataset
  returning d.id, d.version, d.version_committed_at into strict v_version;

  insert into public.dataset_versions (dataset_id, version, committed_at)
  values (v_version.dataset_id, v_version.version, v_version.committed_at);
  return v_version;
end $$;
