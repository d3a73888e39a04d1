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
