-- Cursors are opaque to clients: base64 of a JSON object, without the line breaks that encode() adds.
create or replace function sediment.encode_cursor(p_cursor jsonb)
returns text
language sql
immutable
set search_path = ''
as $$
  select translate(encode(convert_to(p_cursor::text, 'UTF8'), 'base64'), E'\n', '')
$$;
