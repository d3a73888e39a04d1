-- What the counters stood at and what there was, each minute for a day and each hour for a month: the lines of the console.
create table if not exists public.metric_samples (
  at timestamptz primary key,
  uploads bigint not null,
  upload_bytes double precision not null,
  merges bigint not null,
  files_merged bigint not null,
  -- how many merges waited how long together
  lag_seconds double precision not null,
  -- partitions in debt (counted to 10,000), and since when the oldest is
  debt_partitions bigint not null,
  debt_oldest_seconds double precision not null,
  dead_letters bigint not null,
  -- what all datasets hold, of many a few minutes before; null in rows of before these columns
  row_count bigint,
  file_count bigint,
  stored_bytes double precision,
  dataset_count bigint
);
