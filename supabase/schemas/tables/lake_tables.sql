-- Tables that the operator has approved for the lake: each name is one table over all datasets, by the first name that a
-- dataset's table had, so that no tenant renames it. A row stays for good: its number, and what the lake's own two columns
-- are called, stand in files.
create table if not exists public.lake_tables (
  id smallint generated always as identity primary key,
  name text collate "C" not null unique check (name ~ '^[A-Za-z0-9_-]{1,64}$'),
  -- what the columns are called that hold a row's dataset and period tag, beside the columns of uploads
  dataset_column text not null,
  period_column text not null,
  approved_at timestamptz not null default clock_timestamp(),
  -- since when it isn't in the lake any more; null: it is
  withdrawn_at timestamptz,
  -- the dataset at which the walk is that has outputs of before written anew (sediment.advance_lake); null: it is over
  settled_dataset_id uuid,
  -- since when runs are told of the columns; null: the walk has not begun
  settling_since timestamptz,
  -- the last of that dataset's files that it looked at
  settled_period_tag text not null default '',
  settled_seq bigint not null default -1,
  check (dataset_column <> period_column)
);
