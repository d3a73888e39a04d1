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
