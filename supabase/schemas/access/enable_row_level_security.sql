-- Every table: owners and members read, the service does everything, nobody else sees a row. Policies read auth.uid() and
-- the datasets that are shared with the user once a statement (in subqueries), not once a row; "= any (array(…))" is what an index can be asked by,
-- where "in (select …)" is a filter on every row (https://supabase.com/docs/guides/database/postgres/row-level-security).
do $$
declare
  v_table text;
  v_all constant text[] := array['service_settings', 'datasets', 'dataset_versions', 'partitions', 'objects',
    'uploads', 'idempotency_keys', 'file_schemas', 'battle_files', 'processing_metrics', 'run_children',
    'run_commits', 'table_settings', 'user_limits', 'user_usage', 'user_growth', 'dead_letters', 'alerts', 'assets', 'circuit_breaker', 'store_check', 'store_findings',
    'worker_slots', 'deletions', 'forgotten_uploads', 'deleted_slices', 'identity_key', 'ended_rows', 'age_walks', 'clockwork',
    'incidents', 'pings', 'dataset_members',
    'dataset_invitations', 'settings_history', 'table_names', 'metric_deltas', 'metric_totals', 'dataset_keys', 'rewrites', 'metric_samples', 'lake_tables',
    'lake_snapshots', 'lake_pending', 'lake_relations', 'lake_columns', 'lake_schemas', 'lake_mapping_fields', 'lake_files', 'lake_left_files', 'lake_left_columns', 'lake_shapes', 'lake_statistics',
    'lake_heads', 'lake_manifests', 'lake_manifest_lists'];
  -- rows that name their user, by an index on it
  v_by_user constant text[] := array['user_limits', 'assets', 'dataset_members'];
  -- rows of a dataset: as readable as the dataset is
  v_by_dataset constant text[] :=
    array['dataset_versions', 'partitions', 'battle_files', 'table_settings', 'uploads', 'processing_metrics',
      'ended_rows', 'dead_letters', 'table_names', 'rewrites'];
  v_mine constant text := 'select m.dataset_id from public.dataset_members m where m.user_id = (select auth.uid())
    and (m.expires_at is null or m.expires_at > now())';
  v_datasets constant text := 'select d.id from public.datasets d where d.user_id = (select auth.uid()) union all '
    || v_mine;
  -- what is deleted and waits for its slice (sediment.is_marked): one look in a statement where nothing does
  v_unmarked constant text := 'not (dataset_id = any (array(select x.dataset_id from public.deletions x where x.state = ''marked''))
    and exists (select 1 from public.deletions x
      where x.dataset_id = battle_files.dataset_id and x.state = ''marked'' and x.version > battle_files.added_version
        and (x."table" is null or x."table" = battle_files."table")
        and (x.period_tag is null or x.period_tag = battle_files.period_tag)))';
begin
  foreach v_table in array v_all loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('drop policy if exists service_all on public.%I', v_table);
    execute format('create policy service_all on public.%I to service_role using (true) with check (true)', v_table);
    execute format('drop policy if exists member_reads on public.%I', v_table);
  end loop;

  execute format('create policy member_reads on public.datasets for select to authenticated
    using (user_id = (select auth.uid()) or id = any (array(%s)))', v_mine);
  foreach v_table in array v_by_user loop
    execute format('create policy member_reads on public.%I for select to authenticated
      using (user_id = (select auth.uid()))', v_table);
  end loop;
  foreach v_table in array v_by_dataset loop
    execute format('create policy member_reads on public.%I for select to authenticated using (%sdataset_id = any (array(%s)))',
      -- the index of a dataset's files is on those that are visible
      v_table, case when v_table = 'battle_files' then 'removed_version is null and ' || v_unmarked || ' and ' else '' end,
      v_datasets);
  end loop;
  -- a user's own deletion names no dataset
  execute format('create policy member_reads on public.deletions for select to authenticated
    using (dataset_id = any (array(%s)) or kind = ''user'' and user_id = (select auth.uid()))', v_datasets);
end $$;
