-- Files that could not be merged, and why; they stay listed until somebody retries or replaces them.
create or replace view public.quarantined_files with (security_invoker = true) as
  select f.id, f.dataset_id, f."table", f.period_tag, f.quarantine_code, f.quarantine_reason, f.quarantined_at,
    f.object_key, f.start_byte, f.byte_length, f.row_count, f.uploaded_at
  from public.battle_files f
  where f.state = 'quarantined' and f.removed_version is null;
