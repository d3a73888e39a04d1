-- What DuckLake 1.0 asks of its catalog, as views of the lake's tables, in a schema of its own: DuckDB attaches to it with
-- METADATA_SCHEMA 'lake' (docs/lake.md). Views, since the Postgres extension reads tables by ctid and passes their indexes by;
-- of views it asks with its filters. They run as their owner: who may read them sees the lake and nothing beside it.
--   https://ducklake.select/docs/stable/specification/tables/overview
create schema if not exists lake;

create or replace view lake.ducklake_metadata as
select m.key, m.value, null::text as scope, null::bigint as scope_id
from (values ('version', '1.0'), ('created_by', 'Sediment'), ('encrypted', 'false'),
  -- all paths are absolute
  ('data_path', 's3://' || (select s.storage_bucket from public.service_settings s where s.id) || '/')) as m (key, value);

create or replace view lake.ducklake_snapshot as
select s.id as snapshot_id, s.at as snapshot_time, s.schema_version, 1000000000::bigint as next_catalog_id, s.next_file_id
from public.lake_snapshots s;

create or replace view lake.ducklake_snapshot_changes as
select s.id as snapshot_id, ''::text as changes_made, null::text as author, null::text as commit_message,
  null::text as commit_extra_info
from public.lake_snapshots s;

create or replace view lake.ducklake_schema as
select 0::bigint as schema_id, '5ed1e27a-0000-4000-8000-000000000000'::uuid as schema_uuid, 0::bigint as begin_snapshot,
  null::bigint as end_snapshot, 'main'::text as schema_name, ''::text as path, true as path_is_relative;

create or replace view lake.ducklake_schema_versions as
select s.begin_snapshot, s.schema_version, s.table_id from (
  select min(x.id) as begin_snapshot, x.schema_version, r.id as table_id
  from public.lake_snapshots x join public.lake_relations r on r.begin_snapshot <= x.id
  group by x.schema_version, r.id) s;

create or replace view lake.ducklake_table as
select r.id as table_id, r.uuid as table_uuid, r.begin_snapshot, r.end_snapshot, 0::bigint as schema_id, r.name::text as table_name,
  ''::text as path, true as path_is_relative
from public.lake_relations r;

create or replace view lake.ducklake_column as
select c.column_id, c.begin_snapshot, c.end_snapshot, c.relation_id as table_id, c.column_id as column_order,
  c.name::text as column_name, c.type as column_type, null::text as initial_default, null::text as default_value,
  true as nulls_allowed, c.parent_id as parent_column, 'literal'::text as default_value_type, null::text as default_value_dialect
from public.lake_columns c;

create or replace view lake.ducklake_data_file as
select f.id as data_file_id, f.relation_id as table_id, f.begin_snapshot, f.end_snapshot, null::bigint as file_order,
  (select 's3://' || s.storage_bucket || '/' from public.service_settings s where s.id) || f.object_key as path,
  false as path_is_relative, 'parquet'::text as file_format, f.row_count as record_count, f.bytes as file_size_bytes,
  null::bigint as footer_size, f.row_id_start, null::bigint as partition_id, null::text as encryption_key, f.mapping_id,
  null::bigint as partial_max
from public.lake_files f;

create or replace view lake.ducklake_file_column_stats as
select f.id as data_file_id, f.relation_id as table_id, 1::bigint as column_id, null::bigint as column_size_bytes,
  f.row_count as value_count, 0::bigint as null_count, f.dataset_id::text as min_value, f.dataset_id::text as max_value,
  null::boolean as contains_nan, null::text as extra_stats
from public.lake_files f
union all
select f.id, f.relation_id, 2::bigint, null, f.row_count, 0::bigint, f.period_tag::text, f.period_tag::text, null, null
from public.lake_files f
union all
select s.file_id, s.relation_id, s.column_id, null, s.value_count, s.null_count, s.min_value, s.max_value, s.contains_nan, null
from public.lake_statistics s;

create or replace view lake.ducklake_table_stats as
select r.id as table_id, r.next_row_id as record_count, r.next_row_id, r.file_bytes as file_size_bytes
from public.lake_relations r where r.next_row_id > 0;

create or replace view lake.ducklake_table_column_stats as
select r.id as table_id, 1::bigint as column_id, false as contains_null, null::boolean as contains_nan,
  r.dataset_min::text as min_value, r.dataset_max::text as max_value, null::text as extra_stats
from public.lake_relations r where r.next_row_id > 0
union all
select r.id, 2::bigint, false, null, r.period_min::text, r.period_max::text, null
from public.lake_relations r where r.next_row_id > 0;

create or replace view lake.ducklake_column_mapping as
select k.mapping_id, k.relation_id as table_id, 'map_by_name'::text as type
from public.lake_schemas k where k.mapping_id is not null;

create or replace view lake.ducklake_name_mapping as
select m.mapping_id, m.field::bigint as column_id, m.name::text as source_name, m.column_id as target_field_id,
  m.parent::bigint as parent_column, false as is_partition
from public.lake_mapping_fields m;

-- What the lake has none of.
create or replace view lake.ducklake_delete_file as
select null::bigint as delete_file_id, null::bigint as table_id, null::bigint as begin_snapshot, null::bigint as end_snapshot,
  null::bigint as data_file_id, null::text as path, null::boolean as path_is_relative, null::text as format,
  null::bigint as delete_count, null::bigint as file_size_bytes, null::bigint as footer_size, null::text as encryption_key,
  null::bigint as partial_max
where false;

create or replace view lake.ducklake_view as
select null::bigint as view_id, null::uuid as view_uuid, null::bigint as begin_snapshot, null::bigint as end_snapshot,
  null::bigint as schema_id, null::text as view_name, null::text as dialect, null::text as sql, null::text as column_aliases
where false;

create or replace view lake.ducklake_tag as
select null::bigint as object_id, null::bigint as begin_snapshot, null::bigint as end_snapshot, null::text as key, null::text as value
where false;

create or replace view lake.ducklake_column_tag as
select null::bigint as table_id, null::bigint as column_id, null::bigint as begin_snapshot, null::bigint as end_snapshot,
  null::text as key, null::text as value
where false;

create or replace view lake.ducklake_file_variant_stats as
select null::bigint as data_file_id, null::bigint as table_id, null::bigint as column_id, null::text as variant_path,
  null::text as shredded_type, null::bigint as column_size_bytes, null::bigint as value_count, null::bigint as null_count,
  null::text as min_value, null::text as max_value, null::boolean as contains_nan, null::text as extra_stats
where false;

create or replace view lake.ducklake_partition_info as
select null::bigint as partition_id, null::bigint as table_id, null::bigint as begin_snapshot, null::bigint as end_snapshot
where false;

create or replace view lake.ducklake_partition_column as
select null::bigint as partition_id, null::bigint as table_id, null::bigint as partition_key_index, null::bigint as column_id,
  null::text as transform
where false;

create or replace view lake.ducklake_file_partition_value as
select null::bigint as data_file_id, null::bigint as table_id, null::bigint as partition_key_index, null::text as partition_value
where false;

create or replace view lake.ducklake_files_scheduled_for_deletion as
select null::bigint as data_file_id, null::text as path, null::boolean as path_is_relative, null::timestamptz as schedule_start
where false;

create or replace view lake.ducklake_inlined_data_tables as
select null::bigint as table_id, null::text as table_name, null::bigint as schema_version
where false;

create or replace view lake.ducklake_macro as
select null::bigint as schema_id, null::bigint as macro_id, null::text as macro_name, null::bigint as begin_snapshot,
  null::bigint as end_snapshot
where false;

create or replace view lake.ducklake_macro_impl as
select null::bigint as macro_id, null::bigint as impl_id, null::text as dialect, null::text as sql, null::text as type
where false;

create or replace view lake.ducklake_macro_parameters as
select null::bigint as macro_id, null::bigint as impl_id, null::bigint as column_id, null::text as parameter_name,
  null::text as parameter_type, null::text as default_value, null::text as default_value_type
where false;

create or replace view lake.ducklake_sort_info as
select null::bigint as sort_id, null::bigint as table_id, null::bigint as begin_snapshot, null::bigint as end_snapshot
where false;

create or replace view lake.ducklake_sort_expression as
select null::bigint as sort_id, null::bigint as table_id, null::bigint as sort_key_index, null::text as expression,
  null::text as dialect, null::text as sort_direction, null::text as null_order
where false;
