-- The settings that hold for one table, as claim_compaction hands them to the planner and the merge: the
-- table's own row, else the dataset's '*', else the service's.
create or replace function sediment.settings_of(p_dataset uuid, p_table text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select jsonb_build_object(
    'target_file_bytes', coalesce(t.target_file_bytes, d.target_file_bytes, s.target_file_bytes),
    'target_row_group_bytes',
      coalesce(t.target_row_group_bytes, d.target_row_group_bytes, s.target_row_group_bytes),
    'healthy_row_group_bytes',
      coalesce(t.healthy_row_group_bytes, d.healthy_row_group_bytes, s.healthy_row_group_bytes),
    'target_page_bytes', coalesce(t.target_page_bytes, d.target_page_bytes, s.target_page_bytes),
    'min_inputs', coalesce(t.min_inputs, d.min_inputs, s.min_inputs),
    'max_age_seconds', coalesce(t.max_age_seconds, d.max_age_seconds, s.max_age_seconds),
    'codec', coalesce(t.codec, d.codec, s.codec),
    'sort_keys', to_jsonb(coalesce(t.sort_keys, d.sort_keys, '{}')),
    'dedupe_keys', to_jsonb(coalesce(t.dedupe_keys, d.dedupe_keys, '{}')),
    'unite_uuid_as_text', coalesce(t.unite_uuid_as_text, d.unite_uuid_as_text, false),
    'retention_seconds', coalesce(t.retention_seconds, d.retention_seconds, s.retention_seconds),
    'lease_seconds', s.lease_seconds,
    'max_run_seconds', s.max_run_seconds,
    'max_attempts', s.max_attempts)
    -- of a table that isn't in the lake there is nothing to say, and its plans' digests stay what they were
    || case when l.id is null then '{}' else jsonb_build_object('lake', jsonb_build_object(
      'dataset_column', l.dataset_column, 'period_column', l.period_column)) end
  from public.service_settings s
  left join public.table_settings t on t.dataset_id = p_dataset and t."table" = p_table
  left join public.table_settings d on d.dataset_id = p_dataset and d."table" = '*'
  left join public.lake_tables l on l.name = p_table and l.withdrawn_at is null
  where s.id);
end $$;
