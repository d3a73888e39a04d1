-- The DuckLake type of a leaf of a file's schema (shared/parquet/format/schema_json.ts), as DuckDB reads it; 'unknown' for a
-- column of nulls; null where the lake has none. A time by its ConvertedType alone is read as local.
--   https://ducklake.select/docs/stable/specification/data_types
create or replace function sediment.lake_type(p_type text, p_logical text, p_spelling text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when p_spelling is not null and not (p_spelling = 'converted' and p_logical ~ '^TIME') then null
    when p_logical is null then case p_type
      when 'BOOLEAN' then 'boolean' when 'INT32' then 'int32' when 'INT64' then 'int64' when 'INT96' then 'timestamp'
      when 'FLOAT' then 'float32' when 'DOUBLE' then 'float64' when 'BYTE_ARRAY' then 'blob'
      else case when p_type like 'FIXED_LEN_BYTE_ARRAY(%' then 'blob' end end
    when p_logical like 'INTEGER(%' then
      case when p_logical like '%,UNSIGNED)' then 'u' else '' end || 'int' || substring(p_logical from '\d+')
    when p_logical like 'DECIMAL(%' then
      case when substring(p_logical from '\d+')::integer <= 38 then lower(p_logical) end
    when p_logical like 'TIMESTAMP(%' then
      case when p_logical like '%,UTC)' and p_spelling is null then 'timestamptz'
        when p_logical like '%(NANOS,%' then 'timestamp_ns' else 'timestamp' end
    when p_logical like 'TIME(%' then
      case when p_logical like '%(NANOS,%' then null when p_logical like '%,UTC)' and p_spelling is null then 'timetz' else 'time' end
    else case p_logical
      when 'STRING' then 'varchar' when 'ENUM' then 'varchar' when 'JSON' then 'json' when 'BSON' then 'blob'
      when 'UUID' then 'uuid' when 'DATE' then 'date' when 'FLOAT16' then 'float32' when 'INTERVAL' then 'interval'
      when 'UNKNOWN' then 'unknown' end
  end
$$;
