-- Runs, the latest first: of a dataset, of a partition of it, or of all that the user may see (p_user null: of all).
--   p_failed: those that failed, among the latest 5,000. p_before: those that were queued before
-- Returns {runs: [{id, dataset_id, dataset_name, table|null, period_tag|null, operation, trigger, priority, status, step|null,
-- attempts, error_code|null, files_before, files_after, rows_after, bytes_before, bytes_after, queued_at, started_at|null,
-- completed_at|null}], next_before|null}. Raises not_found, dataset_forbidden, dataset_deleted.
create or replace function public.list_runs(
  p_user uuid, p_dataset uuid default null, p_table text default null, p_period_tag text default null,
  p_failed boolean default false, p_limit integer default 100, p_before timestamptz default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_datasets constant uuid[] := sediment.listed_datasets(p_user, p_dataset);
  v_runs jsonb;
begin
  execute format(
    'select coalesce(jsonb_agg(to_jsonb(x) order by x.queued_at desc), ''[]'') from (
      select r.id, r.dataset_id, d.name as dataset_name, sediment.name_of(r.dataset_id, r."table") as "table", r.period_tag,
        r.operation, r.trigger, r.priority, r.status, r.step, r.attempts, r.error_code, r.files_before, r.files_after,
        r.rows_after, r.bytes_before, r.bytes_after, r.queued_at, r.started_at, r.completed_at
      from (select * from public.processing_metrics y where %s %s order by y.queued_at desc limit %s) r
      -- one by one: a join would read all datasets where these are few
      cross join lateral (select z.name from public.datasets z where z.id = r.dataset_id offset 0) d
      where %s order by r.queued_at desc limit $4) x',
    case when v_datasets is null then 'true' when p_dataset is null then 'y.dataset_id = any ($1)'
      else 'y.dataset_id = ($1)[1]' end,
    case when p_before is null then '' else 'and y.queued_at < $5' end
      || case when p_table is null then '' else ' and y."table" = $2' end
      || case when p_period_tag is null then '' else ' and y.period_tag = $3' end,
    case when p_failed then 5000 else v_limit end,
    case when p_failed then 'r.status in (''failure'', ''dlq_failure'', ''timeout'')' else 'true' end)
  into strict v_runs
  using v_datasets, sediment.table_of(p_dataset, p_table), p_period_tag, v_limit, p_before;
  return jsonb_build_object('runs', v_runs,
    'next_before', case when jsonb_array_length(v_runs) = v_limit then v_runs -> -1 -> 'queued_at' end);
end $$;
