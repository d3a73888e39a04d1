-- The key of a schema in file_schemas: 24 bytes of the SHA-256 of its text, which jsonb prints in one way. It stands in
-- each row of battle_files.
create or replace function sediment.schema_digest(p_schema jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return encode(substr(sha256(convert_to(p_schema::text, 'UTF8')), 1, 24), 'base64');
end $$;
