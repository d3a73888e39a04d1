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
