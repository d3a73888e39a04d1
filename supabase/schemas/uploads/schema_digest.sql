-- The key of a schema in file_schemas: the SHA-256 of its text, which jsonb prints in one way.
create or replace function sediment.schema_digest(p_schema jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return encode(sha256(convert_to(p_schema::text, 'UTF8')), 'hex');
end $$;
