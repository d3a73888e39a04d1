-- Every table: its owner reads, the service does everything, nobody else sees a row. Policies read auth.uid() and the
-- user's datasets once a statement (in subqueries), not once a row; "= any (array(…))" is what an index can be asked by,
-- where "in (select …)" is a filter on every row (https://supabase.com/docs/guides/database/postgres/row-level-security).
do $$
declare
  v_table text;
  v_all constant text[] := array['service_settings', 'datasets', 'dataset_versions', 'partitions', 'objects',
    'uploads', 'idempotency_keys', 'file_schemas', 'battle_files', 'processing_metrics', 'run_children',
    'run_commits', 'table_settings', 'user_limits', 'user_usage', 'dead_letters', 'alerts', 'assets', 'circuit_breaker',
    'worker_slots', 'deletions', 'forgotten_uploads', 'identity_key', 'ended_rows', 'age_walks', 'clockwork',
    'incidents', 'pings'];
  -- rows that name their user, by an index on it
  v_by_user constant text[] := array['user_limits', 'dead_letters', 'assets', 'deletions'];
  -- rows of a dataset: as readable as the dataset is
  v_by_dataset constant text[] :=
    array['dataset_versions', 'partitions', 'battle_files', 'table_settings', 'uploads', 'processing_metrics',
      'ended_rows'];
begin
  foreach v_table in array v_all loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('drop policy if exists service_all on public.%I', v_table);
    execute format('create policy service_all on public.%I to service_role using (true) with check (true)', v_table);
    execute format('drop policy if exists owner_reads on public.%I', v_table);
  end loop;

  create policy owner_reads on public.datasets for select to authenticated
    using (user_id = (select auth.uid()));
  foreach v_table in array v_by_user loop
    execute format('create policy owner_reads on public.%I for select to authenticated
      using (user_id = (select auth.uid()))', v_table);
  end loop;
  foreach v_table in array v_by_dataset loop
    execute format('create policy owner_reads on public.%I for select to authenticated using (%sdataset_id = any (array(
      select d.id from public.datasets d where d.user_id = (select auth.uid()))))', v_table,
      -- the index of a dataset's files is on those that are visible
      case when v_table = 'battle_files' then 'removed_version is null and ' else '' end);
  end loop;
end $$;
