-- Settings of one table of a dataset; table '*' holds those of the dataset's other tables. Null: the default of
-- service_settings.
create table if not exists public.table_settings (
  dataset_id uuid not null references public.datasets (id),
  "table" text not null check ("table" = '*' or "table" ~ '^[A-Za-z0-9_-]{1,64}$'),
  target_file_bytes bigint check (target_file_bytes > 0),
  target_row_group_bytes bigint check (target_row_group_bytes > 0),
  healthy_row_group_bytes bigint check (healthy_row_group_bytes > 0),
  target_page_bytes bigint check (target_page_bytes > 0),
  min_inputs integer check (min_inputs >= 1),
  max_age_seconds integer check (max_age_seconds >= 0),
  codec text check (codec in ('snappy', 'zstd')),
  sort_keys text[],
  -- last writer wins on these columns; such a table merges only files adjacent in upload order
  dedupe_keys text[],
  -- a version shows all tables of the dataset together: the longest retention among them counts for all
  retention_seconds integer check (retention_seconds >= 0),
  updated_at timestamptz not null default now(),
  primary key (dataset_id, "table")
);

-- Limits of one user. Null: the default of service_settings; where that is null too, no limit.
create table if not exists public.user_limits (
  user_id uuid primary key,
  uploads_per_minute integer check (uploads_per_minute > 0),
  upload_bytes_per_day bigint check (upload_bytes_per_day > 0),
  stored_bytes_max bigint check (stored_bytes_max > 0),
  datasets_max integer check (datasets_max > 0),
  asset_bytes_max bigint check (asset_bytes_max > 0),
  asset_extensions text[],
  updated_at timestamptz not null default now()
);

-- What a user with a rate limit has used of the current windows.
create table if not exists public.user_usage (
  user_id uuid primary key,
  minute_start timestamptz not null,
  minute_uploads integer not null,
  day_start timestamptz not null,
  day_bytes bigint not null
) with (fillfactor = 50);
