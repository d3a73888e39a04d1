-- Partitions, of a dataset or of all that the user may see (p_user null: of all), as sediment.partition_json has them.
--   p_state: stuck: their runs were given up, the longest first; debt: they wait, the longest first; running: workers hold
--   them. Null: all of p_dataset, of one table of it or of one period, by table and period tag, newest period last, in pages
-- Returns {partitions: […], next_cursor}; with a state the first p_limit and no cursor.
-- Raises not_found, dataset_forbidden, dataset_deleted, invalid_request, invalid_cursor.
create or replace function public.list_partitions(
  p_user uuid, p_dataset uuid default null, p_table text default null, p_state text default null,
  p_limit integer default 100, p_cursor text default null, p_period_tag text default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_cursor constant jsonb := sediment.decode_cursor(p_cursor);
  v_now constant timestamptz := clock_timestamp();
  v_datasets uuid[];
  v_table text;
  v_rows jsonb;
  v_next jsonb;
begin
  if p_dataset is null and p_state is null then
    perform sediment.fail('invalid_request', 400, 'without a dataset a state is to be said', 'stuck, debt or running');
  end if;
  v_datasets := sediment.listed_datasets(p_user, p_dataset);
  v_table := case when p_dataset is not null then sediment.table_of(p_dataset, p_table) end;

  -- one question each: a plan for all of them would read everybody's
  execute format(
    'select coalesce(jsonb_agg(sediment.partition_json(k.dataset_id, k."table", k.period_tag)
        || jsonb_build_object(''after'', jsonb_build_array(k."table", k.period_tag)) order by k.n), ''[]'')
    from (select p.dataset_id, p."table", p.period_tag, row_number() over (order by %3$s) as n
      from public.partitions p where %1$s %2$s order by %3$s limit $5) k',
    case coalesce(p_state, '')
      when 'stuck' then 'p.dead_since is not null'
      when 'debt' then 'p.debt_oldest is not null and p.dead_since is null'
      when 'running' then 'p.lease_expires_at is not null and p.lease_expires_at > $2'
      else 'true' end,
    case when v_datasets is null then '' when p_dataset is null then 'and p.dataset_id = any ($1)'
      else 'and p.dataset_id = ($1)[1]' end
      || case when v_table is null then '' else ' and p."table" = $3' end
      || case when p_period_tag is null then '' else ' and p.period_tag = $6' end
      || case when p_state is null and v_cursor is not null then ' and (p."table", p.period_tag) > ($4 ->> 0, $4 ->> 1)'
        else '' end,
    case coalesce(p_state, '') when 'stuck' then 'p.debt_oldest, p.dataset_id, p."table", p.period_tag'
      when 'debt' then 'p.debt_oldest' when 'running' then 'p.lease_expires_at' else 'p."table", p.period_tag' end)
  into strict v_rows
  using v_datasets, v_now, v_table, v_cursor -> 'after', v_limit + 1, p_period_tag;
  if jsonb_array_length(v_rows) > v_limit then
    v_rows := v_rows - v_limit;
    v_next := jsonb_build_object('after', v_rows -> -1 -> 'after');
  end if;
  return jsonb_build_object('partitions', (
      select coalesce(jsonb_agg(r.value - 'after' order by r.n), '[]') from jsonb_array_elements(v_rows) with ordinality r(value, n)),
    'next_cursor', case when p_state is null and v_next is not null then sediment.encode_cursor(v_next) end);
end $$;
