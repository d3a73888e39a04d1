-- Lists of runs and of files in quarantine read the names of their datasets and no others.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.list_quarantined(p_user uuid, p_dataset uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 200)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 200), 1), 1000);
  v_datasets uuid[];
  v_files jsonb;
begin
  if p_dataset is not null then
    perform sediment.require_dataset(p_user, p_dataset);
    v_datasets := array[p_dataset];
  elsif p_user is not null then
    v_datasets := sediment.datasets_of(p_user, 'reader');
  end if;
  execute format(
    'select coalesce(jsonb_agg(jsonb_build_object(''id'', q.id, ''dataset_id'', q.dataset_id, ''dataset_name'', d.name,
      ''table'', sediment.name_of(q.dataset_id, q."table"), ''period_tag'', q.period_tag, ''code'', q.quarantine_code,
      ''reason'', q.quarantine_reason, ''quarantined_at'', q.quarantined_at, ''bytes'', q.byte_length,
      ''rows'', q.row_count, ''uploaded_at'', q.uploaded_at) order by q.quarantined_at desc, q.id), ''[]'')
    from (select * from public.quarantined_files y where %s order by y.quarantined_at desc limit $2) q
    -- one by one: a join would read all datasets where these are few
    cross join lateral (select z.name from public.datasets z where z.id = q.dataset_id offset 0) d',
    case when v_datasets is null then 'true' else 'y.dataset_id = any ($1)' end)
  into strict v_files using v_datasets, v_limit;
  return jsonb_build_object('files', v_files);
end $function$;

CREATE OR REPLACE FUNCTION public.list_runs(p_user uuid, p_dataset uuid DEFAULT NULL::uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_failed boolean DEFAULT false, p_limit integer DEFAULT 100, p_before timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_datasets uuid[];
  v_runs jsonb;
begin
  if p_dataset is not null then
    perform sediment.require_dataset(p_user, p_dataset);
    v_datasets := array[p_dataset];
  elsif p_user is not null then
    v_datasets := sediment.datasets_of(p_user, 'reader');
  end if;
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
end $function$;
