-- What a leaf of a file's schema is to a reader of Iceberg: a type of its format, or a word that is none, of which the column can
-- only be left out; null where a reader (pyiceberg, which looks at the whole schema of a file) does not open files that have it.
-- A time by its ConvertedType alone is as the lake has it.
--   https://iceberg.apache.org/spec/#parquet
create or replace function sediment.iceberg_leaf(p_type text, p_logical text, p_spelling text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when p_spelling is not null and not (p_spelling = 'converted' and p_logical ~ '^TIME') then null
    when p_logical is null then case p_type
      when 'BOOLEAN' then 'boolean' when 'INT32' then 'int' when 'INT64' then 'long' when 'FLOAT' then 'float'
      when 'DOUBLE' then 'double' when 'BYTE_ARRAY' then 'binary' when 'INT96' then 'int96' else 'fixed' end
    when p_logical ~ '^INTEGER\(\d+,SIGNED' then case when p_logical like 'INTEGER(64,%' then 'long' else 'int' end
    when p_logical like 'INTEGER(%' then 'unsigned'
    when p_logical like 'DECIMAL(%' then
      case when substring(p_logical from '\d+')::integer <= 38 then lower(p_logical) end
    when p_logical like 'TIMESTAMP(NANOS,%' then 'nanoseconds'
    when p_logical like 'TIMESTAMP(%' then
      case when p_logical like '%,UTC)' and p_spelling is null then 'timestamptz' else 'timestamp' end
    when p_logical like 'TIME(MICROS,%' then
      case when p_logical like '%,UTC)' and p_spelling is null then 'timetz' else 'time' end
    else case p_logical
      when 'STRING' then 'string' when 'ENUM' then 'string' when 'JSON' then 'string' when 'BSON' then 'binary'
      when 'UUID' then 'uuid' when 'DATE' then 'date' when 'FLOAT16' then 'half' when 'INTERVAL' then 'interval' end
  end
$$;
