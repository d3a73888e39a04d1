-- One row: every number that a deployment may want to change. Limits that are null are not enforced.
create table if not exists public.service_settings (
  id boolean primary key default true check (id),

  -- merging; the defaults of table_settings
  target_file_bytes bigint not null default 33554432 check (target_file_bytes > 0),
  target_row_group_bytes bigint not null default 8388608 check (target_row_group_bytes > 0),
  healthy_row_group_bytes bigint not null default 2097152 check (healthy_row_group_bytes > 0),
  target_page_bytes bigint not null default 1048576 check (target_page_bytes > 0),
  min_inputs integer not null default 4 check (min_inputs >= 1),
  max_age_seconds integer not null default 3600 check (max_age_seconds >= 0),
  codec text not null default 'zstd' check (codec in ('snappy', 'zstd')),

  -- runs and the queue
  realtime_delay_seconds integer not null default 3 check (realtime_delay_seconds >= 0),
  lease_seconds integer not null default 300 check (lease_seconds > 0),
  -- hard limit of a run, counted while workers hold its partition, over all of its claims
  max_run_seconds integer not null default 3600 check (max_run_seconds > 0),
  max_attempts integer not null default 3 check (max_attempts > 0),
  backoff_base_seconds integer not null default 5 check (backoff_base_seconds > 0),
  backoff_cap_seconds integer not null default 300 check (backoff_cap_seconds > 0),
  -- a run that found nothing to do is not asked again sooner than this
  idle_recheck_seconds integer not null default 300 check (idle_recheck_seconds > 0),
  max_workers integer not null default 4 check (max_workers between 0 and 64),
  max_datasets_per_run integer not null default 50 check (max_datasets_per_run > 0),
  schedule_concurrency integer not null default 5 check (schedule_concurrency > 0),
  schedule_delay_ms integer not null default 1000 check (schedule_delay_ms >= 0),

  -- what is kept, and for how long
  retention_seconds integer not null default 604800 check (retention_seconds >= 0),
  -- how often vacuum looks at one dataset
  vacuum_interval_seconds integer not null default 600 check (vacuum_interval_seconds >= 0),
  -- longest life of a signed download URL: objects outlive the last reader that may hold one
  signed_url_seconds integer not null default 3600 check (signed_url_seconds >= 0),
  -- longest time after which bytes can still be PUT to a planned key (hosted upload URLs: 2 hours)
  max_put_seconds integer not null default 7200 check (max_put_seconds >= 0),

  -- how long pgmq's archive keeps messages that are done
  archive_seconds integer not null default 2592000 check (archive_seconds >= 0),
  -- how long ended runs with their commits, closed dead letters, alerts and the keys of deleted objects are kept;
  -- the ledger of uploads is kept for ever
  history_seconds integer not null default 7776000 check (history_seconds >= 3600),

  -- limits of a user without a row in user_limits
  uploads_per_minute integer check (uploads_per_minute > 0),
  upload_bytes_per_day bigint check (upload_bytes_per_day > 0),
  stored_bytes_max bigint check (stored_bytes_max > 0),
  datasets_max integer check (datasets_max > 0),
  asset_bytes_max bigint not null default 26214400 check (asset_bytes_max > 0),
  asset_extensions text[] not null default array[
    'avif', 'csv', 'gif', 'jpeg', 'jpg', 'json', 'md', 'mp3', 'mp4', 'ogg', 'pdf', 'png', 'svg', 'toml', 'txt',
    'wav', 'webm', 'webp', 'yaml', 'yml', 'zip'
  ],

  -- alerts: [{"kind": "slack"|"pagerduty"|"plain", "url": "https://…", "routing_key": "…"}]
  alert_window_seconds integer not null default 3600 check (alert_window_seconds > 0),
  alert_max_attempts integer not null default 8 check (alert_max_attempts > 0),
  alert_webhooks jsonb not null default '[]' check (jsonb_typeof(alert_webhooks) = 'array'),
  alert_private_addresses boolean not null default false,

  updated_at timestamptz not null default now()
);

comment on table public.service_settings is 'One row of settings of this deployment.';

insert into public.service_settings (id) values (true) on conflict (id) do nothing;
