-- Cursors are opaque to clients: base64url of a JSON object, since a client may well paste one into a query string,
-- where + is a space.
create or replace function sediment.encode_cursor(p_cursor jsonb)
returns text
language sql
immutable
set search_path = ''
as $$
  select translate(encode(convert_to(p_cursor::text, 'UTF8'), 'base64'), E'+/=\n', '-_')
$$;
