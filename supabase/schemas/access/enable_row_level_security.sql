-- Every table: its owner reads, the service does everything, nobody else sees a row. Policies read auth.uid()
-- once a statement (in a subquery), not once a row.
do $$
declare
  v_table text;
  v_all constant text[] := array['service_settings', 'datasets', 'dataset_versions', 'partitions', 'objects',
    'uploads', 'idempotency_keys', 'file_schemas', 'battle_files', 'processing_metrics', 'run_children',
    'run_commits', 'table_settings', 'user_limits', 'user_usage', 'dead_letters', 'alerts', 'assets', 'circuit_breaker',
    'worker_slots', 'clockwork'];
  -- rows that name their user
  v_by_user constant text[] := array['processing_metrics', 'uploads', 'user_limits', 'dead_letters', 'assets'];
  -- rows of a dataset: as readable as the dataset is
  v_by_dataset constant text[] :=
    array['dataset_versions', 'partitions', 'battle_files', 'table_settings'];
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
    execute format('create policy owner_reads on public.%I for select to authenticated using (dataset_id in
      (select d.id from public.datasets d where d.user_id = (select auth.uid())))', v_table);
  end loop;
end $$;
