-- One data file, for serving its bytes: {id, dataset_id, user_id, object_key, start_byte, byte_length, size,
-- object_size, table, period_tag, level, state, quarantine_code, quarantine_reason, row_count, row_group_count,
-- uncompressed_bytes, schema_fingerprint, schema, stats, etag, uploaded_at, added_version, removed_version,
-- copy_of: of a slice that was split from an object that others shared, {copy_of: its key, start_byte}, else null}.
-- Raises not_found (also for the files of others), version_gone (no kept version shows it any more).
create or replace function public.get_file(p_user uuid, p_file bigint)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  f public.battle_files;
  d public.datasets;
begin
  select * into f from public.battle_files x where x.id = p_file;
  -- That one is another's must not be told from that there is none.
  if not found or (p_user is not null and sediment.dataset_role(p_user, f.dataset_id) is null)
  then
    perform sediment.fail('not_found', 404, format('there is no data file %s', p_file));
  end if;
  d := sediment.require_dataset(p_user, f.dataset_id);
  if f.removed_version <= d.oldest_kept_version
    or d.deletion_version > f.added_version and sediment.is_marked(f, d.oldest_kept_version)
  then
    perform sediment.fail('version_gone', 410, format('data file %s left at version %s', f.id,
      coalesce(f.removed_version, d.deletion_version)),
      format('version %s or later', d.oldest_kept_version));
  end if;
  return jsonb_build_object('id', f.id, 'dataset_id', f.dataset_id, 'user_id', d.user_id,
    'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length, 'size', f.byte_length,
    'object_size', (select o.size from public.objects o where o.object_key = f.object_key),
    'table', sediment.name_of(f.dataset_id, f."table"), 'period_tag', f.period_tag, 'level', f.level, 'state', f.state,
    'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
    'row_count', f.row_count, 'row_group_count', f.row_group_count,
    'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint',
    sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
    'schema', (select s.schema from public.file_schemas s where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
    'stats', f.stats, 'etag', sediment.etag_of(f.etag, f.object_key), 'uploaded_at', f.uploaded_at, 'added_version', f.added_version,
    'removed_version', f.removed_version,
    'copy_of', (select o.details from public.objects o where o.object_key = f.object_key and o.details ? 'copy_of'));
end $$;
