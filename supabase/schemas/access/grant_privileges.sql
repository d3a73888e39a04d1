-- What RLS filters must be granted first: new projects grant nothing, older ones grant everything to anon and
-- authenticated. So both are said, table by table; a table that is in no list here is the owner's alone.
do $$
declare
  v_name text;
  v_signature text;
  v_readable constant text[] := array['datasets', 'dataset_versions', 'partitions', 'uploads', 'battle_files',
    'processing_metrics', 'table_settings', 'user_limits', 'dead_letters', 'assets', 'deletions', 'ended_rows',
    'dataset_members', 'table_names', 'rewrites'];
  v_internal constant text[] := array['service_settings', 'objects', 'idempotency_keys', 'file_schemas',
    'run_children', 'run_commits', 'user_usage', 'user_growth', 'alerts', 'circuit_breaker', 'store_check', 'store_findings', 'worker_slots', 'forgotten_uploads', 'deleted_slices', 'identity_key', 'age_walks',
    'clockwork', 'incidents', 'pings', 'dataset_invitations', 'settings_history', 'metric_deltas', 'metric_totals', 'metric_samples', 'dataset_keys', 'lake_tables',
    'lake_snapshots', 'lake_pending', 'lake_relations', 'lake_columns', 'lake_schemas', 'lake_mapping_fields', 'lake_files', 'lake_left_files', 'lake_left_columns', 'lake_shapes', 'lake_statistics',
    'lake_heads', 'lake_manifests', 'lake_manifest_lists'];
  v_views constant text[] := array['dataset_status', 'partition_status', 'quarantined_files',
    'dead_letter_summary'];
begin
  foreach v_name in array v_readable || v_internal loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', v_name);
    execute format('grant select, insert, update, delete on public.%I to service_role', v_name);
  end loop;
  foreach v_name in array v_readable loop
    execute format('grant select on public.%I to authenticated', v_name);
  end loop;

  -- Older projects also grant everybody the sequences of identity columns; inserting into those needs no grant.
  for v_signature in
    select s.oid::regclass::text
    from pg_catalog.pg_class s
    join pg_catalog.pg_depend d on d.objid = s.oid and d.classid = 'pg_class'::regclass and d.deptype = 'i'
    join pg_catalog.pg_class t on t.oid = d.refobjid and t.relnamespace = 'public'::regnamespace
    where s.relkind = 'S' and t.relname = any (v_readable || v_internal)
  loop
    execute format('revoke all on sequence %s from public, anon, authenticated', v_signature);
  end loop;

  -- Views run as their reader: the tables' policies hold in them.
  foreach v_name in array v_views || array['queue_status', 'row_limit_probe', 'store_differences', 'setting_warnings', 'lake_left_out'] loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', v_name);
    execute format('grant select on public.%I to service_role', v_name);
  end loop;
  foreach v_name in array v_views loop
    execute format('grant select on public.%I to authenticated', v_name);
  end loop;

  -- The functions: for the service alone. By default PostgreSQL lets everybody execute a new function.
  for v_signature in
    select p.oid::regprocedure::text
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'sediment' or (n.nspname = 'public' and p.proname = any (array[
      'stage_upload', 'commit_upload', 'group_upload_calls', 'abandon_upload', 'request_compaction', 'claim_compaction',
      'list_fragments', 'stage_output', 'commit_compaction', 'renew_lease', 'record_step', 'quarantine_file', 'set_apart',
      'fail_compaction', 'finish_probe', 'pass_control', 'list_files', 'list_tables', 'version_at', 'get_file', 'run_status', 'catalog_health', 'tick', 'sweep',
      'expire_leases', 'prune_history', 'trigger_scheduled', 'get_upload', 'stage_asset', 'commit_asset', 'list_assets',
      'get_asset', 'get_asset_upload', 'drain_dead_letters', 'claim_alerts', 'finish_alert', 'raise_test_alert', 'watch_health', 'redrive_dead_letters',
      'list_dead_letters', 'retry_quarantined', 'plan_vacuum', 'commit_vacuum', 'wake_vacuum', 'list_objects', 'find_objects', 'begin_store_check', 'compare_objects', 'commit_store_check',
      'schema_version', 'ping_deployment', 'deployment_findings', 'object_limit',
      'call_quietly', 'call_long_quietly', 'mark_for_rewrite', 'request_rewrite', 'list_rewrites', 'read_overview', 'list_datasets', 'list_partitions', 'list_runs', 'run_timeline', 'list_quarantined', 'read_settings', 'change_settings', 'drop_dead_letters', 'list_unsettled_outputs', 'settle_outputs',
      'end_aged', 'delete_data', 'delete_upload', 'delete_user', 'deletion_status', 'advance_deletions', 'stage_splits', 'commit_split',
      'invite_member', 'accept_invitation', 'list_members', 'remove_member', 'revoke_invitation',
      'rename_table', 'stage_key', 'commit_key', 'list_keys', 'revoke_key', 'open_key', 'claim_ended_keys', 'finish_ended_key',
      'count_problems', 'read_metrics', 'approve_lake_table', 'withdraw_lake_table',
      'list_lake', 'load_lake_table', 'commit_lake_metadata', 'sign_lake_object'
    ]))
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', v_signature);
    execute format('grant execute on function %s to service_role', v_signature);
  end loop;

  grant usage on sequence sediment.queue_turn, sediment.row_ids, sediment.lake_revisions to service_role;
  revoke all on sediment.row_id_key from public;
  grant select, insert on sediment.row_id_key to service_role;
  revoke all on sediment.queue_messages from public;
  grant select on sediment.queue_messages to service_role;

  -- pgmq: the functions run as their caller. The sequences, because hosted logical backups rebuild the queues'
  -- identity columns on plain ones.
  grant usage on schema pgmq to service_role;
  grant usage on all sequences in schema pgmq to service_role;
  foreach v_name in array
    array['compaction_manual', 'compaction_realtime', 'compaction_scheduled', 'compaction_dlq']
  loop
    execute format('revoke all on pgmq.%I, pgmq.%I from public, anon, authenticated', 'q_' || v_name, 'a_' || v_name);
    execute format('grant select, insert, update, delete on pgmq.%I, pgmq.%I to service_role',
      'q_' || v_name, 'a_' || v_name);
  end loop;
end $$;
