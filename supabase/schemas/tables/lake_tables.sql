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
  -- the last dataset whose files of before were asked to be written anew (sediment.advance_lake); null: all were
  settled_dataset_id uuid,
  check (dataset_column <> period_column)
);
