-- What a column of the lake is in Iceberg's format 2; null where it has no such type: unsigned numbers, nanoseconds, times with a
-- zone, intervals. An engine that knows none of a type fails, or reads other values.
--   https://iceberg.apache.org/spec/#primitive-types
create or replace function sediment.iceberg_type(p_type text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case p_type
    when 'int8' then 'int' when 'int16' then 'int' when 'int32' then 'int' when 'int64' then 'long'
    when 'float32' then 'float' when 'float64' then 'double'
    when 'varchar' then 'string' when 'json' then 'string' when 'blob' then 'binary'
    else case when p_type in ('boolean', 'uuid', 'date', 'time', 'timestamp', 'timestamptz', 'struct', 'list', 'map')
      or p_type like 'decimal(%' then p_type end
  end
$$;
