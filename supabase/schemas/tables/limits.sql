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
  dedupe_keys text[],
  retention_seconds integer check (retention_seconds >= 0),
  updated_at timestamptz not null default now(),
  unite_uuid_as_text boolean,
  -- ends by age (end_aged)
  keep_rows_seconds integer check (keep_rows_seconds > 0),
  keep_periods integer check (keep_periods > 0),
  primary key (dataset_id, "table")
);

comment on column public.table_settings.dataset_id is
  'The dataset. Unit: none. Default: none.';
comment on column public.table_settings."table" is
  'The table, or * for those tables of the dataset that have no row. Unit: none. Default: none.';
comment on column public.table_settings.target_file_bytes is
  'Size that compacted files of the table grow to; null takes that of the dataset''s row *, else of '
  'service_settings. Unit: bytes. Default: null.';
comment on column public.table_settings.target_row_group_bytes is
  'Size at which a row group of an output is closed; null takes that of the dataset''s row *, else of '
  'service_settings. Unit: bytes before compression. Default: null.';
comment on column public.table_settings.healthy_row_group_bytes is
  'A file whose row groups are on average smaller than this is fragmented, and they are merged; null takes that of '
  'the dataset''s row *, else of service_settings. Unit: bytes before compression. Default: null.';
comment on column public.table_settings.target_page_bytes is
  'Size at which a data page of an output is closed; null takes that of the dataset''s row *, else of '
  'service_settings. Unit: bytes before compression. Default: null.';
comment on column public.table_settings.min_inputs is
  'How many files of about one size a partition must have before they are merged; null takes that of the dataset''s '
  'row *, else of service_settings. Unit: files. Default: null.';
comment on column public.table_settings.max_age_seconds is
  'How long a fragment waits for more files before it is merged with what there is; null takes that of the dataset''s '
  'row *, else of service_settings. Unit: seconds. Default: null.';
comment on column public.table_settings.codec is
  'Compression of outputs; null takes that of the dataset''s row *, else of service_settings. Unit: none; snappy or '
  'zstd. Default: null.';
comment on column public.table_settings.sort_keys is
  'Columns by which the rows of an output are sorted, the first before the second; a name with " desc" behind it '
  'sorts from high to low. Null or none: upload order. Unit: column names. Default: null.';
comment on column public.table_settings.dedupe_keys is
  'Columns that name a row: of rows that agree in them the last uploaded stays. Such a table merges only files '
  'adjacent in upload order. Null or none: every row stays. Unit: column names. Default: null.';
comment on column public.table_settings.unite_uuid_as_text is
  'Whether a column that is a UUID in some files and a text in others becomes one text, the UUID its 36 characters; '
  'else such files stay apart. Null: false. Unit: none. Default: null.';
comment on column public.table_settings.retention_seconds is
  'How long a version stays readable after the next one; null takes that of the dataset''s row *, else of '
  'service_settings. A version shows all tables of the dataset together: the longest among them counts for all. '
  'Unit: seconds. Default: null.';
comment on column public.table_settings.keep_rows_seconds is
  'A data file leaves the table when its youngest row was uploaded longer ago than this; null takes that of the '
  'dataset''s row *, else nothing ends by it. Older versions keep it for their retention. Unit: seconds. Default: null.';
comment on column public.table_settings.keep_periods is
  'Of period tags that are dates (2024-11-25) and hold data the newest so many stay, others leave the table; tags after '
  'tomorrow are not counted, and tags that are no dates never end. Null takes that of the dataset''s row *, else nothing '
  'ends by it. Unit: periods. Default: null.';
comment on column public.table_settings.updated_at is
  'When somebody last said that this row was changed; nothing depends on it. Unit: none. Default: now().';

-- Limits of one user. Null: the default of service_settings; where that is null too, no limit.
create table if not exists public.user_limits (
  user_id uuid primary key,
  uploads_per_minute integer check (uploads_per_minute > 0),
  upload_bytes_per_day bigint check (upload_bytes_per_day > 0),
  stored_bytes_max bigint check (stored_bytes_max > 0),
  datasets_max integer check (datasets_max > 0),
  asset_bytes_max bigint check (asset_bytes_max > 0),
  asset_extensions text[],
  updated_at timestamptz not null default now(),
  tables_max integer check (tables_max > 0),
  partitions_max integer check (partitions_max > 0),
  open_stages_max integer check (open_stages_max > 0),
  requests_per_minute integer check (requests_per_minute > 0),
  partitions_per_minute integer check (partitions_per_minute > 0),
  schemas_per_minute integer check (schemas_per_minute > 0)
);

comment on column public.user_limits.user_id is
  'The user. Unit: none. Default: none.';
comment on column public.user_limits.uploads_per_minute is
  'Uploads a minute; over it an upload is refused with rate_limited. Null takes that of service_settings. Unit: '
  'uploads. Default: null.';
comment on column public.user_limits.upload_bytes_per_day is
  'Uploaded bytes a UTC day; over it an upload is refused with quota_exceeded. Null takes that of '
  'service_settings. Unit: bytes. Default: null.';
comment on column public.user_limits.stored_bytes_max is
  'Bytes that may be stored: files, what they replaced as long as a kept version shows it, and assets; over it an '
  'upload is refused with quota_exceeded. Null takes that of service_settings. Unit: bytes. Default: null.';
comment on column public.user_limits.datasets_max is
  'Datasets that the user may have; over it an upload to a new one is refused with quota_exceeded. Null takes that '
  'of service_settings. Unit: datasets. Default: null.';
comment on column public.user_limits.asset_bytes_max is
  'Size of one asset; over it the asset is refused with body_too_large. Null takes that of service_settings. Unit: '
  'bytes. Default: null.';
comment on column public.user_limits.asset_extensions is
  'Extensions that an asset''s key and file name may end in, in lower case. Null takes those of service_settings. '
  'Unit: none. Default: null.';
comment on column public.user_limits.updated_at is
  'When somebody last said that this row was changed; nothing depends on it. Unit: none. Default: now().';

comment on column public.user_limits.tables_max is
  'Tables in one dataset; over it an upload that would begin one is refused with quota_exceeded. Null takes that of '
  'service_settings. Unit: tables. Default: null.';
comment on column public.user_limits.partitions_max is
  'Partitions in all datasets; over it an upload that would begin one is refused with quota_exceeded. Null takes that '
  'of service_settings. Unit: partitions. Default: null.';
comment on column public.user_limits.open_stages_max is
  'Uploads planned and not ended; over it another is refused with quota_exceeded. Null takes that of '
  'service_settings. Unit: uploads. Default: null.';
comment on column public.user_limits.requests_per_minute is
  'Requests for compaction a minute; over it one is refused with rate_limited. Null takes that of service_settings. '
  'Unit: requests. Default: null.';

comment on column public.user_limits.partitions_per_minute is
  'New partitions a minute; what an hour may bring may come at once. Over it an upload that would begin one is refused '
  'with rate_limited. Null takes that of service_settings. Unit: partitions. Default: null.';
comment on column public.user_limits.schemas_per_minute is
  'Schemas a minute that no data file had before; what an hour may bring may come at once. Over it an upload that '
  'brings one is refused with rate_limited. Null takes that of service_settings. Unit: schemas. Default: null.';

-- What a user has used of the current windows, and what is counted as it changes.
create table if not exists public.user_usage (
  user_id uuid primary key,
  minute_start timestamptz not null,
  minute_uploads integer not null,
  day_start timestamptz not null,
  day_bytes bigint not null,
  minute_requests integer not null default 0,
  asset_bytes bigint not null default 0,
  -- planned uploads since they were counted last: what were ended meanwhile are among them
  open_stages integer not null default 0
) with (fillfactor = 50);

-- What has grown by a user's uploads and is not paid off yet. A table of its own: its rows are locked with the quotas, those
-- of user_usage last of all.
create table if not exists public.user_growth (
  user_id uuid primary key,
  -- when that was so
  at timestamptz not null,
  partitions double precision not null default 0,
  schemas double precision not null default 0
);
