-- What is known of the values of a shown file's sort keys: readers pass by files that have nothing of what is asked for. As
-- texts that DuckDB casts to the column's type: one that it can't cast would hide the file.
create table if not exists public.lake_statistics (
  file_id bigint not null references public.lake_files (id) on delete cascade,
  relation_id bigint not null,
  column_id bigint not null,
  -- those that are not null; null: not known
  value_count bigint,
  null_count bigint,
  -- no value is below the one or above the other; null: not known
  min_value text,
  max_value text,
  contains_nan boolean,
  primary key (file_id, column_id)
);

-- what a reader's filter asks
create index if not exists lake_statistics_column on public.lake_statistics (relation_id, column_id);
