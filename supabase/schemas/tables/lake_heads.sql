-- One for all heads, also of those that come again: no two claims of a table have the same. It begins past what heads counted by
-- themselves, whose objects have these numbers in their names.
create sequence if not exists sediment.lake_revisions as bigint start with 1000000000;

-- What engines that read Iceberg are given of the lake's tables: metadata that was written when somebody asked, and what of it is
-- written anew when something was published since (load_lake_table, commit_lake_metadata). A table is there once for whoever reads
-- all datasets, under the dataset 00000000-0000-0000-0000-000000000000, and once for each dataset whose readers have asked.
create table if not exists public.lake_heads (
  relation_id bigint not null,
  dataset_id uuid not null,
  -- another one with each claim and each purge (sediment.lake_revisions): who writes by an older one has lost
  revision bigint not null default 0,
  -- until when somebody writes the next metadata
  claimed_until timestamptz,
  -- the lake's snapshot that the last metadata shows; null: none was written
  snapshot_id bigint,
  oldest_snapshot_id bigint,
  -- the youngest column's snapshot then
  columns_at bigint,
  -- of its columns the types in Iceberg, by their ids; null: not there
  types jsonb,
  metadata text,
  object_key text,
  -- what a purge has dropped, or a column's type that became another: the snapshots before are not to be shown again
  drop_history boolean not null default false,
  -- up to where the lake was looked through for changes of the table
  seen_snapshot bigint not null default 0,
  seen_file bigint not null default 0,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (relation_id, dataset_id)
);

-- Manifests: lists of files, immutable. In Iceberg's snapshots from begin_snapshot to before end_snapshot.
create table if not exists public.lake_manifests (
  object_key text primary key references public.objects (object_key),
  relation_id bigint not null,
  dataset_id uuid not null,
  begin_snapshot bigint not null,
  end_snapshot bigint,
  bytes bigint not null,
  -- lake_files.id; and how many of them, with how many rows, no manifest had before
  files bigint[] not null,
  row_count bigint not null,
  added_files integer not null,
  added_rows bigint not null,
  min_sequence bigint not null
);

create index if not exists lake_manifests_table on public.lake_manifests (relation_id, dataset_id);

-- Iceberg's snapshots: those of the lake's at which somebody asked. Each has an object that lists its manifests.
create table if not exists public.lake_manifest_lists (
  relation_id bigint not null,
  dataset_id uuid not null,
  snapshot_id bigint not null,
  at timestamptz not null,
  object_key text not null references public.objects (object_key),
  file_count bigint not null,
  row_count bigint not null,
  bytes bigint not null,
  primary key (relation_id, dataset_id, snapshot_id)
);
