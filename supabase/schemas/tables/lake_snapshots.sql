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
