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
