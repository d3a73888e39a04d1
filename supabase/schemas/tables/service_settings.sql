-- One row: every number that a deployment may want to change. What each column does is its comment, which the
-- documentation and the console show: its effect, its unit, its default, in this form.
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
  max_run_seconds integer not null default 3600 check (max_run_seconds > 0),
  max_attempts integer not null default 3 check (max_attempts > 0),
  backoff_base_seconds integer not null default 5 check (backoff_base_seconds > 0),
  backoff_cap_seconds integer not null default 300 check (backoff_cap_seconds > 0),
  idle_recheck_seconds integer not null default 300 check (idle_recheck_seconds > 0),
  max_workers integer not null default 4 check (max_workers between 0 and 64),
  max_datasets_per_run integer not null default 10 check (max_datasets_per_run > 0),
  schedule_concurrency integer not null default 2 check (schedule_concurrency > 0),
  schedule_delay_ms integer not null default 250 check (schedule_delay_ms >= 0),

  -- what is kept, and for how long
  retention_seconds integer not null default 604800 check (retention_seconds >= 0),
  vacuum_interval_seconds integer not null default 600 check (vacuum_interval_seconds >= 0),
  signed_url_seconds integer not null default 3600 check (signed_url_seconds >= 0),
  max_put_seconds integer not null default 7200 check (max_put_seconds >= 0),
  archive_seconds integer not null default 2592000 check (archive_seconds >= 0),
  history_seconds integer not null default 7776000 check (history_seconds >= 3600),

  -- limits of a user without a row in user_limits
  uploads_per_minute integer default 6000 check (uploads_per_minute > 0),
  upload_bytes_per_day bigint default 34359738368 check (upload_bytes_per_day > 0),
  stored_bytes_max bigint default 274877906944 check (stored_bytes_max > 0),
  datasets_max integer default 1000 check (datasets_max > 0),
  asset_bytes_max bigint not null default 26214400 check (asset_bytes_max > 0),
  asset_extensions text[] not null default array[
    'avif', 'bmp', 'csv', 'gif', 'jpeg', 'jpg', 'json', 'md', 'mp3', 'mp4', 'ogg', 'pdf', 'png', 'svg', 'toml', 'txt',
    'wav', 'webm', 'webp', 'yaml', 'yml', 'zip'
  ],

  -- alerts
  alert_window_seconds integer not null default 3600 check (alert_window_seconds > 0),
  alert_max_attempts integer not null default 8 check (alert_max_attempts > 0),
  alert_webhooks jsonb not null default '[]' check (jsonb_typeof(alert_webhooks) = 'array'),
  alert_private_addresses boolean not null default false,

  updated_at timestamptz not null default now(),

  -- the breaker: failures of two partitions within the window open it; seconds from its opening to the first probe,
  -- doubled with each that fails up to backoff_cap_seconds
  breaker_window_seconds integer not null default 600 check (breaker_window_seconds > 0),
  breaker_probe_seconds integer not null default 10 check (breaker_probe_seconds > 0),
  -- after which a file whose bytes were gone or changed is looked at once more, before it is set aside
  second_look_seconds integer not null default 120 check (second_look_seconds > 0),
  -- the newest planner that has closed a run, and when plans last came to go by something else: kept by the catalog
  planner_version integer not null default 0,
  plan_changed_at timestamptz not null default '-infinity',
  -- a clockwork that stood still for longer has had a gap: leases that ran out in it are no deaths
  clockwork_gap_seconds integer not null default 180 check (clockwork_gap_seconds > 0),

  -- more limits of a user without a row in user_limits
  tables_max integer default 1000 check (tables_max > 0),
  partitions_max integer default 100000 check (partitions_max > 0),
  open_stages_max integer default 5000 check (open_stages_max > 0),
  requests_per_minute integer default 600 check (requests_per_minute > 0),
  -- how long a late retry of a deleted upload is told from a new upload of the same bytes
  deleted_upload_seconds integer not null default 172800 check (deleted_upload_seconds >= 0),

  -- until when URLs may live that were signed before signed_url_seconds was lowered: kept by the catalog
  signed_url_until timestamptz not null default 'epoch',

  -- the check of the store
  store_check_interval_seconds integer not null default 86400 check (store_check_interval_seconds > 0),
  store_check_bytes_per_day bigint not null default 134217728 check (store_check_bytes_per_day >= 0),

  -- what grows with a user's uploads and is never deleted: how fast it may, of a user without a row in user_limits
  partitions_per_minute integer default 100 check (partitions_per_minute > 0),
  schemas_per_minute integer default 10 check (schemas_per_minute > 0),
  -- of the store, where the bucket does not say it itself
  max_object_bytes bigint check (max_object_bytes > 0),

  keys_max integer not null default 20 check (keys_max between 0 and 500),

  -- of runs that merged nothing
  idle_history_seconds integer not null default 3600 check (idle_history_seconds >= 60),

  -- of tables that are to be written anew
  rewrite_bytes_per_hour bigint not null default 4294967296 check (rewrite_bytes_per_hour > 0),

  -- where the objects are in this project's Storage: what its policy is about, and the doctor
  storage_bucket text not null default 'sediment' check (storage_bucket <> ''),

  -- of alerts
  lag_alert_seconds integer not null default 900 check (lag_alert_seconds > 0),

  -- of the lake
  lake_retention_seconds integer not null default 86400 check (lake_retention_seconds >= 0)
);

comment on table public.service_settings is 'One row of settings of this deployment.';

comment on column public.service_settings.id is
  'Always true: there is one row. Unit: none. Default: true.';
comment on column public.service_settings.target_file_bytes is
  'Size that compacted files grow to; one of at least this size is not merged again for its size. Larger files '
  'mean fewer for readers to open, and more bytes held back by a merge. Unit: bytes. Default: 33554432 (32 MiB).';
comment on column public.service_settings.target_row_group_bytes is
  'Size at which a row group of an output is closed. Larger ones compress and scan better, and take more memory to '
  'write. Unit: bytes before compression. Default: 8388608 (8 MiB).';
comment on column public.service_settings.healthy_row_group_bytes is
  'A file whose row groups are on average smaller than this is fragmented: its row groups are merged; those of a '
  'healthy file are copied as they are. Unit: bytes before compression. Default: 2097152 (2 MiB).';
comment on column public.service_settings.target_page_bytes is
  'Size at which a data page of an output is closed. Smaller pages let readers skip more; each has a header. Unit: '
  'bytes before compression. Default: 1048576 (1 MiB).';
comment on column public.service_settings.min_inputs is
  'How many files of about one size a partition must have before they are merged. Fewer means fewer small files '
  'and more rewriting. Unit: files. Default: 4.';
comment on column public.service_settings.max_age_seconds is
  'How long a fragment waits for more files: after that it is merged with what there is. Unit: seconds. Default: 3600 '
  '(1 h).';
comment on column public.service_settings.codec is
  'Compression of outputs. Unit: none; snappy or zstd. Default: zstd.';
comment on column public.service_settings.realtime_delay_seconds is
  'How long the message of an upload stays hidden, so that a burst of uploads becomes one run. Unit: seconds. '
  'Default: 3.';
comment on column public.service_settings.lease_seconds is
  'How long a worker that goes silent holds its partition; a live one renews. Unit: seconds. Default: 300 (5 min).';
comment on column public.service_settings.max_run_seconds is
  'How long workers may hold the partition for one run, over all of its claims; what is left goes to a follow-up. '
  'Unit: seconds. Default: 3600 (1 h).';
comment on column public.service_settings.max_attempts is
  'How many claims of a run may fail, one after another, before it is a dead letter; a committed output starts the '
  'count again. Unit: attempts. Default: 3.';
comment on column public.service_settings.backoff_base_seconds is
  'Longest wait after the first failed attempt; it doubles with each, and the wait is a random part of it. Unit: '
  'seconds. Default: 5.';
comment on column public.service_settings.backoff_cap_seconds is
  'What the wait after failed attempts does not grow past. Unit: seconds. Default: 300 (5 min).';
comment on column public.service_settings.idle_recheck_seconds is
  'A run that found nothing to do is not asked again sooner than this. Unit: seconds. Default: 300 (5 min).';
comment on column public.service_settings.max_workers is
  'How many workers may hold partitions at once; with 0 the clockwork wakes none, and uploads go on. Unit: workers. '
  'Default: 4.';
comment on column public.service_settings.max_datasets_per_run is
  'How many datasets the nightly trigger takes, those whose debt is oldest first. Unit: datasets. Default: 10.';
comment on column public.service_settings.schedule_concurrency is
  'How many datasets of the nightly trigger start at the same time. Unit: datasets. Default: 2.';
comment on column public.service_settings.schedule_delay_ms is
  'Pause between the groups of datasets that the nightly trigger starts; the queue knows whole seconds. Unit: '
  'milliseconds. Default: 250.';
comment on column public.service_settings.retention_seconds is
  'How long a version of a dataset stays readable after the next one, and the files that only it shows stay '
  'stored. Unit: seconds. Default: 604800 (7 days).';
comment on column public.service_settings.vacuum_interval_seconds is
  'How long vacuum leaves a dataset alone after it has looked at it. Unit: seconds. Default: 600 (10 min).';
comment on column public.service_settings.signed_url_seconds is
  'How long a signed download URL lives. Objects outlive the '
  'last reader that may hold one. Unit: seconds. Default: 3600 (1 h).';
comment on column public.service_settings.max_put_seconds is
  'How long after a run has lost its partition bytes can still arrive at the keys that it planned; their deletion '
  'is repeated after it. Unit: seconds. Default: 7200 (2 h, the life of hosted upload URLs).';
comment on column public.service_settings.archive_seconds is
  'How long the queues'' archive keeps messages that are done. Unit: seconds. Default: 2592000 (30 days).';
comment on column public.service_settings.history_seconds is
  'How long ended runs with their commits, closed dead letters, alerts and the keys of deleted objects are kept; '
  'the ledger of uploads is kept for ever. Unit: seconds, at least 3600. Default: 7776000 (90 days).';
comment on column public.service_settings.uploads_per_minute is
  'Uploads a minute of a user without a limit of their own; null: no limit. Unit: uploads. Default: 6000.';
comment on column public.service_settings.upload_bytes_per_day is
  'Uploaded bytes a UTC day of a user without a limit of their own; null: no limit. Unit: bytes. Default: '
  '34359738368 (32 GiB).';
comment on column public.service_settings.stored_bytes_max is
  'Bytes that a user without a limit of their own may have stored: files, what they replaced as long as a kept '
  'version shows it, and assets; null: no limit. Unit: bytes. Default: 274877906944 (256 GiB).';
comment on column public.service_settings.datasets_max is
  'Datasets of a user without a limit of their own; null: no limit. Unit: datasets. Default: 1000.';
comment on column public.service_settings.asset_bytes_max is
  'Size of one asset of a user without a limit of their own. Unit: bytes. Default: 26214400 (25 MiB).';
comment on column public.service_settings.asset_extensions is
  'Extensions that an asset''s key and file name may end in, in lower case, of a user without a list of their own. '
  'Unit: none. Default: avif, bmp, csv, gif, jpeg, jpg, json, md, mp3, mp4, ogg, pdf, png, svg, toml, txt, wav, webm, '
  'webp, yaml, yml, zip.';
comment on column public.service_settings.breaker_window_seconds is
  'Failures of what all work stands on, at two partitions within this time, stop claims until probes succeed. Unit: '
  'seconds. Default: 600 (10 min).';
comment on column public.service_settings.breaker_probe_seconds is
  'Pause before the first probe while claims are stopped; it doubles with each that fails, up to '
  'backoff_cap_seconds. Unit: seconds. Default: 10.';
comment on column public.service_settings.second_look_seconds is
  'How long a file whose bytes were gone or changed is left alone before a second look decides. Unit: seconds. '
  'Default: 120 (2 min).';
comment on column public.service_settings.clockwork_gap_seconds is
  'A lease that ran out while the minutely jobs stood still for longer than this is no worker''s death. Unit: seconds. '
  'Default: 180 (3 min).';
comment on column public.service_settings.deleted_upload_seconds is
  'How long the bytes of a deleted upload are refused with upload_deleted unless they come with again=1: what clients '
  'keep to retry, and a day. After that they are a new upload. Unit: seconds. Default: 172800 (2 days).';
comment on column public.service_settings.planner_version is
  'The newest planner that has closed a run; the catalog keeps it. Unit: none. Default: 0.';
comment on column public.service_settings.plan_changed_at is
  'When plans last came to go by another planner or other settings; the catalog keeps it. Unit: none. '
  'Default: -infinity.';
comment on column public.service_settings.alert_window_seconds is
  'Dead letters of one class of error within a window are one alert. Unit: seconds. Default: 3600 (1 h).';
comment on column public.service_settings.alert_max_attempts is
  'How often an alert is sent before it counts as failed. Unit: attempts. Default: 8.';
comment on column public.service_settings.alert_webhooks is
  'Where alerts go: [{"kind": "slack"|"pagerduty"|"plain", "url": "https://…", "routing_key": "…"}]. Unit: none. '
  'Default: [].';
comment on column public.service_settings.alert_private_addresses is
  'Whether webhooks may lie at addresses of a private network. Unit: none. Default: false.';
comment on column public.service_settings.updated_at is
  'When somebody last said that this row was changed; nothing depends on it. Unit: none. Default: now().';
comment on column public.service_settings.tables_max is
  'Tables in one dataset of a user without a limit of their own; null: no limit. Unit: tables. Default: 1000.';
comment on column public.service_settings.partitions_max is
  'Partitions in all datasets of a user without a limit of their own; they are never deleted. Null: no limit. Unit: '
  'partitions. Default: 100000.';
comment on column public.service_settings.open_stages_max is
  'Uploads that a user without a limit of their own may have planned and not ended; null: no limit. Unit: uploads. '
  'Default: 5000.';
comment on column public.service_settings.requests_per_minute is
  'Requests for compaction a minute of a user without a limit of their own, one for each partition that is asked for; '
  'redrives, retries of quarantined files, rewrites, new read-only keys, invitations, renames and deletions are among '
  'them. Null: no limit. Unit: requests. Default: 600.';
comment on column public.service_settings.signed_url_until is
  'Until when download URLs may live that were signed before signed_url_seconds was lowered; kept by the catalog. Unit: '
  'none. Default: 1970-01-01T00:00:00+00:00.';

comment on column public.service_settings.store_check_interval_seconds is
  'How long after one pass over the store''s list of objects the next begins, which compares keys, sizes and ETags with the '
  'catalog. Unit: seconds. Default: 86400 (1 day).';
comment on column public.service_settings.store_check_bytes_per_day is
  'Bytes of data files that are read a day to compare them with their checksums, one file after the other; a store may '
  'charge for them. 0: none. Unit: bytes. Default: 134217728 (128 MiB).';
comment on column public.service_settings.keys_max is
  'Read-only keys that a dataset may have at once; each in use is an active user of Auth. 0: none can be made. Unit: '
  'keys. Default: 20.';

comment on column public.service_settings.partitions_per_minute is
  'New partitions a minute of a user without a limit of their own; what an hour may bring may come at once. Over it an '
  'upload that would begin one waits (rate_limited). Null: no limit. Unit: partitions. Default: 100.';
comment on column public.service_settings.schemas_per_minute is
  'Schemas a minute that no data file had before, of a user without a limit of their own; what an hour may bring may '
  'come at once. One counts once for each 64 KiB of its JSON begun. Over it an upload that brings one waits (rate_limited). '
  'Null: no limit. Unit: schemas. Default: 10.';
comment on column public.service_settings.max_object_bytes is
  'Largest object that the store takes: outputs are planned to stay below it, and larger uploads are refused when they are '
  'planned. Where the objects are in this project''s Storage the bucket''s own file_size_limit holds too. Null: the store '
  'has no limit, or only the bucket''s. Unit: bytes. Default: null.';
comment on column public.service_settings.idle_history_seconds is
  'How long runs are kept that had nothing to merge and that nobody had asked for; after that their status is run_not_found. '
  'Unit: seconds, at least 60. Default: 3600 (1 h).';
comment on column public.service_settings.rewrite_bytes_per_hour is
  'How much of the tables that are to be written anew (POST /compaction/rewrite) is given to the workers an hour, all of '
  'them together. Unit: bytes. Default: 4294967296 (4 GiB).';
comment on column public.service_settings.storage_bucket is
  'The bucket of this project''s Storage that holds the objects, as SEDIMENT_BUCKET of the functions says: in it readers and '
  'read-only keys read data files by Storage''s own API. Unit: none. Default: sediment.';
comment on column public.service_settings.lag_alert_seconds is
  'Work that is due for longer and has no worker is an alert (lag_over). Unit: seconds. Default: 900 (15 min).';

comment on column public.service_settings.lake_retention_seconds is
  'How long the lake''s snapshots are kept, which queries that have begun and time travel read; no vacuum takes a file that '
  'one of them shows. Unit: seconds. Default: 86400 (1 day).';

insert into public.service_settings (id) values (true) on conflict (id) do nothing;
