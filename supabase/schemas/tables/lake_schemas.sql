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
