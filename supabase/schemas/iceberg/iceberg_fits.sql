-- Whether a file's leaf or group may stand under a column: it is of its type, or of one that Iceberg promotes to it. A column that
-- is not there takes all that a reader opens.
--   https://iceberg.apache.org/spec/#schema-evolution
create or replace function sediment.iceberg_fits(p_leaf text, p_column text)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select p_leaf is not null and (p_column is null or p_leaf = p_column
    or p_leaf = 'int' and p_column = 'long' or p_leaf = 'float' and p_column = 'double'
    or p_leaf like 'decimal(%' and p_column like 'decimal(%'
      and substring(p_leaf from ',(\d+)') = substring(p_column from ',(\d+)')
      and substring(p_leaf from '\((\d+)')::integer <= substring(p_column from '\((\d+)')::integer)
$$;
