-- Files in quarantine, of a dataset or of all that the user may see (p_user null: of all), the latest first.
-- Returns {files: [{id, dataset_id, dataset_name, table, period_tag, code, reason, quarantined_at, bytes, rows, uploaded_at,
-- upload_id|null}]}; upload_id is that of a file that is as it was uploaded.
-- Raises not_found, dataset_forbidden, dataset_deleted.
create or replace function public.list_quarantined(p_user uuid, p_dataset uuid default null, p_limit integer default 200)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 200), 1), 1000);
  v_datasets constant uuid[] := sediment.listed_datasets(p_user, p_dataset);
  v_files jsonb;
begin
  execute format(
    'select coalesce(jsonb_agg(jsonb_build_object(''id'', q.id, ''dataset_id'', q.dataset_id, ''dataset_name'', d.name,
      ''table'', sediment.name_of(q.dataset_id, q."table"), ''period_tag'', q.period_tag, ''code'', q.quarantine_code,
      ''reason'', q.quarantine_reason, ''quarantined_at'', q.quarantined_at, ''bytes'', q.byte_length,
      ''rows'', q.row_count, ''uploaded_at'', q.uploaded_at, 
      ''upload_id'', (select f.upload_id from public.battle_files f where f.id = q.id)) order by q.quarantined_at desc, q.id), ''[]'')
    from (select * from public.quarantined_files y where %s order by y.quarantined_at desc limit $2) q
    -- one by one: a join would read all datasets where these are few
    cross join lateral (select z.name from public.datasets z where z.id = q.dataset_id offset 0) d',
    case when v_datasets is null then 'true' else 'y.dataset_id = any ($1)' end)
  into strict v_files using v_datasets, v_limit;
  return jsonb_build_object('files', v_files);
end $$;
