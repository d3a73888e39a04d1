-- One installation's data. The row's lock orders the commits of a dataset: it is taken after the partitions'
-- locks, for the version counter alone, and held until the commit.
create table if not exists public.datasets (
  id uuid primary key,
  user_id uuid not null,
  name text not null default '',
  version bigint not null default 0 check (version >= 0),
  version_committed_at timestamptz not null default clock_timestamp(),
  -- versions below this one answer 410; it moves when retention has passed
  oldest_kept_version bigint not null default 0,
  oldest_kept_at timestamptz not null default clock_timestamp(),
  -- files removed at or before this version can be deleted: no URL signed for an older version is still alive
  vacuumable_version bigint not null default 0,
  vacuumed_at timestamptz not null default '-infinity',
  last_compacted_at timestamptz,
  file_count bigint not null default 0,
  file_size_bytes bigint not null default 0,
  file_etag text,
  row_count bigint not null default 0,
  uncompressed_bytes bigint not null default 0,
  compression_ratio double precision,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- of files that an output replaced and that a kept version shows: stored as long as vacuum has not dropped them
  retired_bytes bigint not null default 0,
  partition_count bigint not null default 0,
  -- the version of the newest deletion in it, of whatever scope: most have none, and nothing more is looked up
  deletion_version bigint not null default 0,
  -- the dataset as a whole was deleted: its id stays taken, and everything answers dataset_deleted
  deleted_at timestamptz,
  -- tables have names beside their first ones (table_names): most have none, and nothing is looked up
  has_aliases boolean not null default false,
  -- the version that vacuumable_version follows to next, since oldest_kept_at: a purge that comes meanwhile waits for the next
  -- step, or many of them would keep it from ever moving
  ending_version bigint not null default 0,
  check (vacuumable_version <= oldest_kept_version and oldest_kept_version <= version)
) with (fillfactor = 70);

create index if not exists datasets_user_id on public.datasets (user_id, id);

create index if not exists datasets_vacuumed_at on public.datasets (vacuumed_at);

-- When each version came to be; committed_at never runs backwards within a dataset.
create table if not exists public.dataset_versions (
  -- no reference: the statement that makes a version has updated the dataset's row
  dataset_id uuid not null,
  version bigint not null,
  committed_at timestamptz not null,
  -- what the dataset held then, as datasets has it of now; null of versions that are older than these columns
  file_count bigint,
  row_count bigint,
  file_size_bytes bigint,
  uncompressed_bytes bigint,
  primary key (dataset_id, version)
);

create index if not exists dataset_versions_committed_at
  on public.dataset_versions (dataset_id, committed_at);
