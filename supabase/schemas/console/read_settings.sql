-- The settings of the deployment with what each means (its column's comment), what is set for single tables and users,
-- what is hardly meant, and the last 100 changes. Of webhooks kinds and hosts only.
--   p_dataset, p_table: what is set for this table (for a dataset's other tables: *) is among the tables, however long ago
--   p_of_user: the same of a user
-- Returns {settings: [{…, value}], table_columns and user_columns: as sediment.settings_columns says, tables: [{dataset_id, table, settings}] and
-- users: [{user_id, settings}], the 200 of each that were changed last and those that are asked for, warnings: [{settings, dataset_id, table,
-- column_name, warning}], history: [{changed_at, settings, dataset_id, table, user_id, column_name, old_value, new_value, role, subject}]}.
create or replace function public.read_settings(
  p_dataset uuid default null, p_table text default null, p_of_user uuid default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_row constant jsonb := (select to_jsonb(s) from public.service_settings s);
  v_table constant text := sediment.table_of(p_dataset, p_table);
begin
  return jsonb_build_object(
    'settings', (
      select jsonb_agg(x.c || jsonb_build_object('value', sediment.shown_setting(x.c ->> 'name', v_row -> (x.c ->> 'name')))
        order by x.n)
      from jsonb_array_elements(sediment.settings_columns('public.service_settings')) with ordinality x (c, n)),
    'table_columns', sediment.settings_columns('public.table_settings'),
    'user_columns', sediment.settings_columns('public.user_limits'),
    'tables', (
      select coalesce(jsonb_agg(jsonb_build_object('dataset_id', t.dataset_id, 'table', sediment.name_of(t.dataset_id, t."table"),
        'settings', jsonb_strip_nulls(to_jsonb(t) - array['dataset_id', 'table', 'updated_at'])) order by t.updated_at desc), '[]')
      from (
        (select * from public.table_settings x order by x.updated_at desc limit 200)
        union select * from public.table_settings x where x.dataset_id = p_dataset and x."table" = v_table) t),
    'users', (
      select coalesce(jsonb_agg(jsonb_build_object('user_id', u.user_id,
        'settings', jsonb_strip_nulls(to_jsonb(u) - array['user_id', 'updated_at'])) order by u.updated_at desc), '[]')
      from (
        (select * from public.user_limits x order by x.updated_at desc limit 200)
        union select * from public.user_limits x where x.user_id = p_of_user) u),
    'warnings', (
      select coalesce(jsonb_agg(to_jsonb(w) || jsonb_build_object('table', sediment.name_of(w.dataset_id, w."table"))), '[]')
      from (select * from public.setting_warnings x limit 100) w),
    'history', (
      select coalesce(jsonb_agg(to_jsonb(h) - 'id' || jsonb_build_object('table', sediment.name_of(h.dataset_id, h."table"))
        order by h.changed_at desc, h.id desc), '[]')
      from (select * from public.settings_history x order by x.changed_at desc, x.id desc limit 100) h));
end $$;
