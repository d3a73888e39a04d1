-- The lake: what an engine sees that attaches to it, one order of snapshots over all datasets. The words are DuckLake's, whose
-- tables are views of these (lake/ducklake_views.sql). What they show is written by sediment.publish_lake, prune_lake and
-- purge_lake, under one advisory lock; lake_pending and lake_shapes, which publications read, by whoever has news for them.

-- A publication each. Kept for lake_retention_seconds.
create table if not exists public.lake_snapshots (
  id bigint primary key,
  at timestamptz not null,
  -- rises with every change of tables or columns: readers keep schemas by it
  schema_version bigint not null,
  -- one counter for files and mappings; readers keep statistics and mappings by it
  next_file_id bigint not null
);

create index if not exists lake_snapshots_at on public.lake_snapshots (at);

-- readers want one
insert into public.lake_snapshots (id, at, schema_version, next_file_id) values (0, clock_timestamp(), 0, 1)
on conflict (id) do nothing;

-- What the next publication looks at, written in the transactions of commits (note_lake_file, note_lake_table, mark_deletion):
-- the row says that something changed, and publication looks at the file as it is.
create table if not exists public.lake_pending (
  id bigint generated always as identity primary key,
  -- null: a table was approved or withdrawn, or its files of before are gone through
  dataset_id uuid,
  -- null: of no version, as when a file is set aside or remade
  version bigint,
  -- null: of no file by itself; of a dataset, all that the deletion of that version covers
  file_id bigint,
  change text not null check (change in ('added', 'removed', 'table')),
  created_at timestamptz not null default clock_timestamp()
-- emptied all the time: a tick without news looks past the dead rows
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create index if not exists lake_pending_dataset on public.lake_pending (dataset_id);
-- what vacuum asks
create index if not exists lake_pending_file on public.lake_pending (file_id) where file_id is not null;

-- A table as the lake shows it, from its approval to its withdrawal. Approved again it is another one.
create table if not exists public.lake_relations (
  id bigint generated always as identity primary key,
  lake_table_id smallint not null references public.lake_tables (id),
  name text collate "C" not null,
  uuid uuid not null default gen_random_uuid(),
  begin_snapshot bigint not null,
  end_snapshot bigint,
  -- columns ever made, and of rows and bytes what was ever shown: readers take statistics for exact where these agree with what
  -- is there, so they never fall
  next_column_id bigint not null default 1,
  next_row_id bigint not null default 0,
  file_bytes bigint not null default 0,
  dataset_min text collate "C",
  dataset_max text collate "C",
  period_min text collate "C",
  period_max text collate "C",
  -- the last file of those that were there before the approval that was looked at; null: all were
  after_file bigint default -1,
  -- whose files its columns were first taken from (lake_shapes); null: whoever's came first
  shaped_by uuid,
  -- files that are shown; what a purge took out may be counted still
  shown_files integer not null default 0
);

create unique index if not exists lake_relations_shown on public.lake_relations (lake_table_id) where end_snapshot is null;

-- Whose files say what the columns of a table are, where the operator has named a dataset (sediment.shape_lake_table).
create table if not exists public.lake_shapes (
  lake_table_id smallint primary key references public.lake_tables (id),
  dataset_id uuid not null
);

-- The columns of a table, those within structs, lists and maps too; a row for each type that one had. 1 and 2 are the lake's own.
create table if not exists public.lake_columns (
  relation_id bigint not null references public.lake_relations (id) on delete cascade,
  column_id bigint not null,
  parent_id bigint,
  -- names from the top down to here, in lower case, which is what tells columns apart
  path text[] collate "C" not null,
  name text collate "C" not null,
  type text not null,
  begin_snapshot bigint not null,
  end_snapshot bigint,
  -- whose file brought it; null: the lake itself
  dataset_id uuid,
  -- what it is to readers of Iceberg; 'none': not there; null: not yet, no file that they are shown has it (sediment.judge_lake_schema)
  iceberg_type text,
  primary key (relation_id, column_id, begin_snapshot)
);

create unique index if not exists lake_columns_path on public.lake_columns (relation_id, path) where end_snapshot is null;

-- Which schemas a table's files have: the mapping of their names to the columns, or why such files are left out.
create table if not exists public.lake_schemas (
  relation_id bigint not null references public.lake_relations (id) on delete cascade,
  schema_digest text not null,
  mapping_id bigint unique,
  reason text,
  -- how many fields it has, and whose file it was first met in
  fields integer,
  dataset_id uuid,
  -- at which publication it was compared with the columns for readers of Iceberg (sediment.judge_lake_schema), and why they are not
  -- shown its files
  iceberg_columns bigint,
  iceberg_reason text,
  primary key (relation_id, schema_digest),
  check ((mapping_id is null) <> (reason is null))
);

create index if not exists lake_schemas_unjudged on public.lake_schemas (mapping_id)
  where mapping_id is not null and iceberg_columns is null;

-- A field of a file's schema each, within its mapping; its parent has a smaller number.
create table if not exists public.lake_mapping_fields (
  mapping_id bigint not null references public.lake_schemas (mapping_id) on delete cascade,
  field integer not null,
  parent integer,
  name text collate "C" not null,
  column_id bigint not null,
  primary key (mapping_id, field)
);

-- The files that are shown at a kept snapshot. No vacuum takes one that is named here.
create table if not exists public.lake_files (
  id bigint primary key,
  relation_id bigint not null references public.lake_relations (id) on delete cascade,
  battle_file bigint not null,
  begin_snapshot bigint not null,
  end_snapshot bigint,
  dataset_id uuid not null,
  period_tag text collate "C" not null,
  object_key text not null,
  bytes bigint not null,
  row_count bigint not null,
  row_id_start bigint not null,
  mapping_id bigint not null
);

create unique index if not exists lake_files_shown on public.lake_files (battle_file) where end_snapshot is null;
create index if not exists lake_files_file on public.lake_files (battle_file);
create index if not exists lake_files_relation on public.lake_files (relation_id);
-- what a reader of one dataset asks
create index if not exists lake_files_dataset on public.lake_files (relation_id, dataset_id) where end_snapshot is null;
create index if not exists lake_files_mapping on public.lake_files (mapping_id);
create index if not exists lake_files_ended on public.lake_files (end_snapshot) where end_snapshot is not null;

-- Files that are visible and that the lake leaves out; and columns that it has no place for.
create table if not exists public.lake_left_files (
  battle_file bigint primary key,
  relation_id bigint not null references public.lake_relations (id) on delete cascade,
  dataset_id uuid not null,
  reason text not null,
  left_at timestamptz not null default clock_timestamp()
);

create index if not exists lake_left_files_dataset on public.lake_left_files (relation_id, dataset_id);

create table if not exists public.lake_left_columns (
  relation_id bigint not null references public.lake_relations (id) on delete cascade,
  path text[] collate "C" not null,
  dataset_id uuid not null,
  reason text not null,
  left_at timestamptz not null default clock_timestamp(),
  primary key (relation_id, path)
);
