-- Acknowledges an upload: ledger, data files, object staged → stored, version, debt and demand of the
-- partitions, run rows and queue messages, in one transaction. Called again with the same bytes it gives the
-- first answer with duplicate: true; so it does to whoever lost the race for the same identity. Where data files of the
-- upload have lost their bytes these take their place, and the answer says healed: true.
--   p_files: [{ordinal, table, period_tag, start_byte, byte_length, row_count, row_group_count,
--              uncompressed_bytes, value_count|null, merge_facts|null, schema_fingerprint, schema, stats, checksum|null}]
--   p_object_size: length of the object where it is not the body itself (Avro is stored as Parquet)
-- Returns {key, size, uploaded_at, metricId, duplicate, dataset_id, version, files: [] (of before), runs:
-- [{table, period_tag, metricId}]}.
-- Raises stage_expired, forbidden, hash_mismatch, size_mismatch, upload_conflict, quota_exceeded, invalid_request.
create or replace function public.commit_upload(
  p_stage uuid, p_user uuid, p_size bigint, p_etag text, p_content_hash text, p_files jsonb,
  p_object_size bigint default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  return sediment.answer_of(sediment.commit_uploads(jsonb_build_array(jsonb_build_object(
    'p_stage', p_stage, 'p_user', p_user, 'p_size', p_size, 'p_etag', p_etag, 'p_content_hash', p_content_hash,
    'p_files', p_files, 'p_object_size', p_object_size))));
end $$;
