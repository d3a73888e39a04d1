-- Changes settings of the deployment, of a table (of a dataset's other tables: *) or of a user, all or none, by the checks that
-- hold for whoever writes them in SQL. A row that is not there begins with what it names; one that says nothing any more goes.
--   p_settings: service_settings; table_settings with p_dataset and p_table; user_limits with p_of_user
--   p_changes: {column: value}; null where null is a value. p_reset: columns that take their default
--   p_by: who asked, for settings_history
-- Returns {changed: [columns], refused: null}, or {changed: [], refused: {field, why, expected}}, where nothing was changed.
-- Raises invalid_request, not_found.
create or replace function public.change_settings(
  p_settings text, p_changes jsonb default '{}', p_reset text[] default '{}', p_dataset uuid default null,
  p_table text default null, p_of_user uuid default null, p_by text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_reset constant text[] := coalesce(p_reset, '{}');
  v_columns jsonb;
  v_column jsonb;
  v_name text;
  v_names text[];
  v_where text;
  v_table text;
  v_constraint text;
  v_why text;
  v_expected text;
begin
  if p_settings is null or p_settings not in ('service_settings', 'table_settings', 'user_limits')
    or jsonb_typeof(p_changes) is distinct from 'object'
    or (p_settings = 'table_settings') <> (p_dataset is not null and p_table is not null)
    or (p_settings = 'user_limits') <> (p_of_user is not null)
  then
    perform sediment.fail('invalid_request', 400, 'it is not said which settings are to change',
      'service_settings; table_settings with dataset and table; user_limits with a user');
  end if;
  v_columns := sediment.settings_columns(format('public.%I', p_settings)::regclass);
  v_names := array(select jsonb_object_keys(p_changes) union select unnest(v_reset) order by 1);
  -- which value has no place in its column is told one by one; what they are together the update tells
  foreach v_name in array v_names loop
    v_column := (select c from jsonb_array_elements(v_columns) c where c ->> 'name' = v_name);
    if v_column is null then
      return sediment.refused_setting(v_name, format('%s has no setting of that name', p_settings), null);
    end if;
    continue when v_name = any (v_reset);
    begin
      execute format('select r.%I from jsonb_populate_record(null::public.%I, $1) r', v_name, p_settings)
      using jsonb_build_object(v_name, p_changes -> v_name);
    exception when data_exception then
      return sediment.refused_setting(v_name, sqlerrm, v_column ->> 'type');
    end;
  end loop;
  if p_settings = 'table_settings' then
    perform sediment.require_dataset(null, p_dataset);
    v_table := sediment.table_of(p_dataset, p_table);
  end if;
  v_where := case p_settings when 'service_settings' then 's.id'
    when 'table_settings' then 's.dataset_id = $2 and s."table" = $3' else 's.user_id = $4' end;

  perform set_config('sediment.changed_by', coalesce(p_by, ''), true);
  begin
    if p_settings = 'table_settings' then
      insert into public.table_settings (dataset_id, "table") values (p_dataset, v_table) on conflict do nothing;
    elsif p_settings = 'user_limits' then
      insert into public.user_limits (user_id) values (p_of_user) on conflict do nothing;
    end if;
    if cardinality(v_names) > 0 then
      execute format('update public.%I s set %s from jsonb_populate_record(null::public.%I, $1) r where %s', p_settings,
        (select string_agg(format(case when n = any (v_reset) then '%I = default' else '%1$I = r.%1$I' end, n), ', ')
          from unnest(v_names) n), p_settings, v_where)
      using p_changes, p_dataset, v_table, p_of_user;
    end if;
    if p_settings <> 'service_settings' then
      execute format('delete from public.%I s where %s and jsonb_strip_nulls(to_jsonb(s) - $1) = ''{}''', p_settings, v_where)
      using '{dataset_id,table,user_id,updated_at}'::text[], p_dataset, v_table, p_of_user;
    end if;
  exception
    when check_violation or not_null_violation then
      get stacked diagnostics v_constraint = constraint_name, v_name = column_name;
      -- a constraint of one column is called after it
      v_column := (select c from jsonb_array_elements(v_columns) c
        where c ->> 'name' = coalesce(nullif(v_name, ''), substring(v_constraint from length(p_settings) + 2
          for greatest(length(v_constraint) - length(p_settings) - length('__check'), 0))));
      return sediment.refused_setting(coalesce(v_column ->> 'name', v_names[1]),
        case when sqlstate = '23502' then 'there must be a value' else 'it is out of bounds' end, v_column ->> 'check');
    when sqlstate 'SD400' then
      get stacked diagnostics v_why = pg_exception_detail, v_expected = pg_exception_hint;
      -- its words name the column
      return sediment.refused_setting(coalesce((select n from unnest(v_names) n
        where position(split_part(n, '_', 1) in v_why) > 0 order by position(n in v_why) > 0 desc, n limit 1), v_names[1]),
        v_why, v_expected);
  end;
  return jsonb_build_object('changed', to_jsonb(v_names), 'refused', null);
end $$;
