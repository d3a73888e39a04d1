-- The data files of an upload as commit_upload takes them. The function that inspected the bytes has checked
-- more; this is what the catalog itself relies on.
create or replace function sediment.check_files(p_files jsonb, p_size bigint)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_bad record;
begin
  if p_files is null or jsonb_typeof(p_files) <> 'array' or jsonb_array_length(p_files) not between 1 and 10000 then
    perform sediment.fail('invalid_request', 400, 'p_files is not an array of 1 to 10000 data files');
  end if;

  select f.ordinal, f."table", f.period_tag, f.start_byte, f.byte_length into v_bad
  from jsonb_to_recordset(p_files) as f(ordinal integer, "table" text, period_tag text, start_byte bigint,
    byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
    schema_fingerprint text, schema jsonb)
  where (f.ordinal >= 0 and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
    and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= p_size - f.start_byte
    and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
    and f.schema_fingerprint is not null and f.schema is not null) is not true
  limit 1;
  if found then
    perform sediment.fail('invalid_request', 400, format('data file %s is not well formed: %s',
      v_bad.ordinal, row_to_json(v_bad)));
  end if;
  if (select count(distinct f.ordinal) from jsonb_to_recordset(p_files) as f(ordinal integer))
    <> jsonb_array_length(p_files)
  then
    perform sediment.fail('invalid_request', 400, 'two data files have the same ordinal');
  end if;
end $$;
