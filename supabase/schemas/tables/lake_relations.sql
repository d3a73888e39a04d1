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
