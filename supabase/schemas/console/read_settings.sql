-- The settings of the deployment with what each means (its column's comment), what is set for single tables and users,
-- what is hardly meant, and the last 100 changes. Of webhooks kinds and hosts only.
-- Returns {settings: [{…, value}], table_columns and user_columns: as sediment.settings_columns says, tables: [{dataset_id, table, settings}] and
-- users: [{user_id, settings}], 200 of each at most, warnings: [{settings, dataset_id, table, column_name, warning}],
-- history: [{changed_at, settings, dataset_id, table, user_id, column_name, old_value, new_value, role, subject}]}.
create or replace function public.read_settings()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_row constant jsonb := (select to_jsonb(s) from public.service_settings s);
begin
  return jsonb_build_object(
    'settings', (
      select jsonb_agg(x.c || jsonb_build_object('value', sediment.shown_setting(x.c ->> 'name', v_row -> (x.c ->> 'name')))
        order by x.n)
      from jsonb_array_elements(sediment.settings_columns('public.service_settings')) with ordinality x (c, n)),
    'table_columns', sediment.settings_columns('public.table_settings'),
    'user_columns', sediment.settings_columns('public.user_limits'),
    'tables', (
      select coalesce(jsonb_agg(jsonb_build_object('dataset_id', t.dataset_id, 'table', t."table",
        'settings', jsonb_strip_nulls(to_jsonb(t) - array['dataset_id', 'table', 'updated_at']))), '[]')
      from (select * from public.table_settings x order by x.updated_at desc limit 200) t),
    'users', (
      select coalesce(jsonb_agg(jsonb_build_object('user_id', u.user_id,
        'settings', jsonb_strip_nulls(to_jsonb(u) - array['user_id', 'updated_at']))), '[]')
      from (select * from public.user_limits x order by x.updated_at desc limit 200) u),
    'warnings', (
      select coalesce(jsonb_agg(to_jsonb(w)), '[]') from (select * from public.setting_warnings x limit 100) w),
    'history', (
      select coalesce(jsonb_agg(to_jsonb(h) - 'id' order by h.changed_at desc), '[]')
      from (select * from public.settings_history x order by x.changed_at desc, x.id desc limit 100) h));
end $$;
