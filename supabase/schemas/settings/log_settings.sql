-- Writes down what an operator changes in settings. What the catalog keeps in them for itself is no setting.
create or replace function sediment.log_settings()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_old constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) else '{}' end;
  v_new constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) else '{}' end;
  v_row constant jsonb := v_old || v_new;
begin
  insert into public.settings_history (settings, dataset_id, "table", user_id, column_name, old_value, new_value, role,
    subject)
  select tg_table_name, (v_row ->> 'dataset_id')::uuid, v_row ->> 'table', (v_row ->> 'user_id')::uuid, c.name,
    sediment.shown_setting(c.name, v_old -> c.name), sediment.shown_setting(c.name, v_new -> c.name),
    -- the caller's: that of the session, or what PostgREST has set for the request
    coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role', session_user),
    -- by the functions the name of their caller's key (change_settings)
    coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub',
      nullif(current_setting('sediment.changed_by', true), ''))
  from jsonb_object_keys(v_row) c (name)
  where c.name not in ('id', 'dataset_id', 'table', 'user_id', 'updated_at', 'planner_version', 'plan_changed_at',
      'signed_url_until')
    and coalesce(v_old -> c.name, 'null') is distinct from coalesce(v_new -> c.name, 'null')
    -- a row that is written with its defaults is no change
    and not (tg_op = 'INSERT' and tg_table_name = 'service_settings')
  order by c.name;
  return null;
end $$;

create or replace trigger log_settings after insert or update or delete on public.service_settings
  for each row execute function sediment.log_settings();
create or replace trigger log_settings after insert or update or delete on public.table_settings
  for each row execute function sediment.log_settings();
create or replace trigger log_settings after insert or update or delete on public.user_limits
  for each row execute function sediment.log_settings();
