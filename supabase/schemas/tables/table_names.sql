-- The names of tables that were renamed: the first, which stays in every other table of the catalog and in the keys of
-- objects, and those that came later. A name that was ever given stays an alias of its table and is never another's, so
-- that a late retry under it is the same upload.
create table if not exists public.table_names (
  dataset_id uuid not null references public.datasets (id),
  name text not null,
  -- the first name
  "table" text not null,
  -- what readers are told
  is_current boolean not null,
  named_at timestamptz not null default clock_timestamp(),
  primary key (dataset_id, name)
);

create unique index if not exists table_names_current on public.table_names (dataset_id, "table") where is_current;
