-- The datasets of a user, or all (p_user null), by id.
-- Returns {datasets: [{id, user_id, name, files, rows, bytes, debt_files, debt_bytes, debt_oldest|null, running,
-- dead_partitions, left_alone_files, last_compacted_at|null, updated_at, role}], next_cursor}. Raises invalid_cursor.
create or replace function public.list_datasets(p_user uuid, p_limit integer default 100, p_cursor text default null)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_cursor constant jsonb := sediment.decode_cursor(p_cursor);
  v_after uuid := '00000000-0000-0000-0000-000000000000'::uuid;
  v_ids uuid[];
  v_rows jsonb;
begin
  if v_cursor is not null then
    if coalesce(v_cursor ->> 'dataset', '') !~ '^[0-9a-f-]{36}$' then
      perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
    end if;
    v_after := (v_cursor ->> 'dataset')::uuid;
  end if;
  if p_user is null then
    v_ids := array(select d.id from public.datasets d where d.id > v_after and d.deleted_at is null
      order by d.id limit v_limit + 1);
  else
    v_ids := array(select d.id from public.datasets d
      where d.id = any (sediment.datasets_of(p_user, 'reader')) and d.id > v_after and d.deleted_at is null
      order by d.id limit v_limit + 1);
  end if;
  select coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'user_id', s.user_id, 'name', s.name, 'files', s.file_count,
    'rows', s.row_count, 'bytes', s.file_size_bytes, 'debt_files', s.debt_files, 'debt_bytes', s.debt_bytes,
    'debt_oldest', s.debt_oldest, 'running', s.compaction_in_progress, 'dead_partitions', s.dead_partitions,
    'left_alone_files', s.left_alone_files, 'last_compacted_at', s.last_compacted_at, 'updated_at', s.updated_at,
    'role', case when p_user is null then 'service' else sediment.dataset_role(p_user, s.id) end) order by s.id), '[]')
  into strict v_rows
  from public.dataset_status s where s.id = any (v_ids[1 : v_limit]);
  return jsonb_build_object('datasets', v_rows, 'next_cursor',
    case when cardinality(v_ids) > v_limit then sediment.encode_cursor(jsonb_build_object('dataset', v_ids[v_limit])) end);
end $$;
