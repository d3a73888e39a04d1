-- Comments of the settings: what each does, its unit and its default. Nothing else changes.
set local lock_timeout = '5s';

COMMENT ON COLUMN "public"."service_settings"."alert_max_attempts" IS 'How often an alert is sent before it counts as failed. Unit: attempts. Default: 8.';

COMMENT ON COLUMN "public"."service_settings"."alert_private_addresses" IS 'Whether webhooks may lie at addresses of a private network. Unit: none. Default: false.';

COMMENT ON COLUMN "public"."service_settings"."alert_webhooks" IS 'Where alerts go: [{"kind": "slack"|"pagerduty"|"plain", "url": "https://…", "routing_key": "…"}]. Unit: none. Default: [].';

COMMENT ON COLUMN "public"."service_settings"."alert_window_seconds" IS 'Dead letters of one class of error within a window are one alert. Unit: seconds. Default: 3600 (1 h).';

COMMENT ON COLUMN "public"."service_settings"."archive_seconds" IS 'How long the queues'' archive keeps messages that are done. Unit: seconds. Default: 2592000 (30 days).';

COMMENT ON COLUMN "public"."service_settings"."asset_bytes_max" IS 'Size of one asset of a user without a limit of their own. Unit: bytes. Default: 26214400 (25 MiB).';

COMMENT ON COLUMN "public"."service_settings"."asset_extensions" IS 'Extensions that an asset''s key and file name may end in, in lower case, of a user without a list of their own. Unit: none. Default: avif, csv, gif, jpeg, jpg, json, md, mp3, mp4, ogg, pdf, png, svg, toml, txt, wav, webm, webp, yaml, yml, zip.';

COMMENT ON COLUMN "public"."service_settings"."backoff_base_seconds" IS 'Longest wait after the first failed attempt; it doubles with each, and the wait is a random part of it. Unit: seconds. Default: 5.';

COMMENT ON COLUMN "public"."service_settings"."backoff_cap_seconds" IS 'What the wait after failed attempts does not grow past. Unit: seconds. Default: 300 (5 min).';

COMMENT ON COLUMN "public"."service_settings"."codec" IS 'Compression of outputs. Unit: none; snappy or zstd. Default: zstd.';

COMMENT ON COLUMN "public"."service_settings"."datasets_max" IS 'Datasets of a user without a limit of their own; null: no limit. Unit: datasets. Default: null.';

COMMENT ON COLUMN "public"."service_settings"."healthy_row_group_bytes" IS 'A file whose row groups are on average smaller than this is fragmented: its row groups are merged; those of a healthy file are copied as they are. Unit: bytes before compression. Default: 2097152 (2 MiB).';

COMMENT ON COLUMN "public"."service_settings"."history_seconds" IS 'How long ended runs with their commits, closed dead letters, alerts and the keys of deleted objects are kept; the ledger of uploads is kept for ever. Unit: seconds, at least 3600. Default: 7776000 (90 days).';

COMMENT ON COLUMN "public"."service_settings"."id" IS 'Always true: there is one row. Unit: none. Default: true.';

COMMENT ON COLUMN "public"."service_settings"."idle_recheck_seconds" IS 'A run that found nothing to do is not asked again sooner than this. Unit: seconds. Default: 300 (5 min).';

COMMENT ON COLUMN "public"."service_settings"."lease_seconds" IS 'How long a worker that goes silent holds its partition; a live one renews. Unit: seconds. Default: 300 (5 min).';

COMMENT ON COLUMN "public"."service_settings"."max_age_seconds" IS 'How long a fragment waits for company: after that it is merged with what there is. Unit: seconds. Default: 3600 (1 h).';

COMMENT ON COLUMN "public"."service_settings"."max_attempts" IS 'How many claims of a run may fail, one after another, before it is a dead letter; a committed output starts the count again. Unit: attempts. Default: 3.';

COMMENT ON COLUMN "public"."service_settings"."max_datasets_per_run" IS 'How many datasets the nightly trigger takes, those whose debt is oldest first. Unit: datasets. Default: 50.';

COMMENT ON COLUMN "public"."service_settings"."max_put_seconds" IS 'How long after a run has lost its partition bytes can still arrive at the keys that it planned; their deletion is repeated after it. Unit: seconds. Default: 7200 (2 h, the life of hosted upload URLs).';

COMMENT ON COLUMN "public"."service_settings"."max_run_seconds" IS 'How long workers may hold the partition for one run, over all of its claims; what is left goes to a follow-up. Unit: seconds. Default: 3600 (1 h).';

COMMENT ON COLUMN "public"."service_settings"."max_workers" IS 'How many workers the clockwork wakes at once; 0 stops compaction, and uploads go on. Unit: workers. Default: 4.';

COMMENT ON COLUMN "public"."service_settings"."min_inputs" IS 'How many files of about one size a partition must have before they are merged. Fewer means fewer small files and more rewriting. Unit: files. Default: 4.';

COMMENT ON COLUMN "public"."service_settings"."realtime_delay_seconds" IS 'How long the message of an upload stays hidden, so that a burst of uploads becomes one run. Unit: seconds. Default: 3.';

COMMENT ON COLUMN "public"."service_settings"."retention_seconds" IS 'How long a version of a dataset stays readable after the next one, and the files that only it shows stay stored. Unit: seconds. Default: 604800 (7 days).';

COMMENT ON COLUMN "public"."service_settings"."schedule_concurrency" IS 'How many datasets of the nightly trigger start at the same time. Unit: datasets. Default: 5.';

COMMENT ON COLUMN "public"."service_settings"."schedule_delay_ms" IS 'Pause between the groups of datasets that the nightly trigger starts. Unit: milliseconds. Default: 1000.';

COMMENT ON COLUMN "public"."service_settings"."signed_url_seconds" IS 'Longest life of a signed download URL, at least SEDIMENT_SIGNED_URL_SECONDS of the functions: objects outlive the last reader that may hold one. Unit: seconds. Default: 3600 (1 h).';

COMMENT ON COLUMN "public"."service_settings"."stored_bytes_max" IS 'Bytes, files and assets together, that a user without a limit of their own may have stored; null: no limit. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."service_settings"."target_file_bytes" IS 'Size that compacted files grow to; one of at least this size is not merged again for its size. Larger files mean fewer for readers to open, and more bytes held back by a merge. Unit: bytes. Default: 33554432 (32 MiB).';

COMMENT ON COLUMN "public"."service_settings"."target_page_bytes" IS 'Size at which a data page of an output is closed. Smaller pages let readers skip more; each has a header. Unit: bytes before compression. Default: 1048576 (1 MiB).';

COMMENT ON COLUMN "public"."service_settings"."target_row_group_bytes" IS 'Size at which a row group of an output is closed. Larger ones compress and scan better, and take more memory to write. Unit: bytes before compression. Default: 8388608 (8 MiB).';

COMMENT ON COLUMN "public"."service_settings"."updated_at" IS 'When somebody last said that this row was changed; nothing depends on it. Unit: none. Default: now().';

COMMENT ON COLUMN "public"."service_settings"."upload_bytes_per_day" IS 'Uploaded bytes a UTC day of a user without a limit of their own; null: no limit. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."service_settings"."uploads_per_minute" IS 'Uploads a minute of a user without a limit of their own; null: no limit. Unit: uploads. Default: null.';

COMMENT ON COLUMN "public"."service_settings"."vacuum_interval_seconds" IS 'How long vacuum leaves a dataset alone after it has looked at it. Unit: seconds. Default: 600 (10 min).';

COMMENT ON COLUMN "public"."table_settings"."codec" IS 'Compression of outputs; null takes that of the dataset''s row *, else of service_settings. Unit: none; snappy or zstd. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."dataset_id" IS 'The dataset. Unit: none. Default: none.';

COMMENT ON COLUMN "public"."table_settings"."dedupe_keys" IS 'Columns that name a row: of rows that agree in them the last uploaded stays. Such a table merges only files adjacent in upload order. Null or none: every row stays. Unit: column names. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."healthy_row_group_bytes" IS 'A file whose row groups are on average smaller than this is fragmented, and they are merged; null takes that of the dataset''s row *, else of service_settings. Unit: bytes before compression. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."max_age_seconds" IS 'How long a fragment waits for company before it is merged with what there is; null takes that of the dataset''s row *, else of service_settings. Unit: seconds. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."min_inputs" IS 'How many files of about one size a partition must have before they are merged; null takes that of the dataset''s row *, else of service_settings. Unit: files. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."retention_seconds" IS 'How long a version stays readable after the next one; null takes that of the dataset''s row *, else of service_settings. A version shows all tables of the dataset together: the longest among them counts for all. Unit: seconds. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."sort_keys" IS 'Columns by which the rows of an output are sorted, the first before the second; a name with " desc" behind it sorts from high to low. Null or none: upload order. Unit: column names. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."table" IS 'The table, or * for those tables of the dataset that have no row. Unit: none. Default: none.';

COMMENT ON COLUMN "public"."table_settings"."target_file_bytes" IS 'Size that compacted files of the table grow to; null takes that of the dataset''s row *, else of service_settings. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."target_page_bytes" IS 'Size at which a data page of an output is closed; null takes that of the dataset''s row *, else of service_settings. Unit: bytes before compression. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."target_row_group_bytes" IS 'Size at which a row group of an output is closed; null takes that of the dataset''s row *, else of service_settings. Unit: bytes before compression. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."updated_at" IS 'When somebody last said that this row was changed; nothing depends on it. Unit: none. Default: now().';

COMMENT ON COLUMN "public"."user_limits"."asset_bytes_max" IS 'Size of one asset; over it the asset is refused with body_too_large. Null takes that of service_settings. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."asset_extensions" IS 'Extensions that an asset''s key and file name may end in, in lower case. Null takes those of service_settings. Unit: none. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."datasets_max" IS 'Datasets that the user may have; over it an upload to a new one is refused with quota_exceeded. Null takes that of service_settings. Unit: datasets. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."stored_bytes_max" IS 'Bytes, files and assets together, that may be stored; over it an upload is refused with quota_exceeded. Null takes that of service_settings. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."updated_at" IS 'When somebody last said that this row was changed; nothing depends on it. Unit: none. Default: now().';

COMMENT ON COLUMN "public"."user_limits"."upload_bytes_per_day" IS 'Uploaded bytes a UTC day; over it an upload is refused with quota_exceeded. Null takes that of service_settings. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."uploads_per_minute" IS 'Uploads a minute; over it an upload is refused with rate_limited. Null takes that of service_settings. Unit: uploads. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."user_id" IS 'The user. Unit: none. Default: none.';
