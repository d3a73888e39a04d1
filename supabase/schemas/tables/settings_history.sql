-- What was changed in service_settings, table_settings and user_limits: a row a column, who and when. Kept for ever.
-- Addresses and keys of webhooks are secrets: of those only kinds and hosts are here.
create table if not exists public.settings_history (
  id bigint generated always as identity primary key,
  changed_at timestamptz not null default clock_timestamp(),
  settings text not null check (settings in ('service_settings', 'table_settings', 'user_limits')),
  -- which row: null of service_settings
  dataset_id uuid,
  "table" text,
  user_id uuid,
  column_name text not null,
  -- null: none, or the default of wider settings
  old_value jsonb,
  new_value jsonb,
  -- the database role that asked; and the subject of its token where it came over the API, the name of its secret key where
  -- it came over the functions
  role text not null,
  subject text
);

create index if not exists settings_history_changed on public.settings_history (changed_at desc, id desc);
