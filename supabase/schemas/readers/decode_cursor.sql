-- Reads a cursor that encode_cursor made; whatever else comes is invalid_cursor, not an error of the database.
create or replace function sediment.decode_cursor(p_cursor text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_cursor jsonb;
begin
  if p_cursor is null then
    return null;
  end if;
  begin
    if length(p_cursor) <= 8192 then
      v_cursor := convert_from(decode(rpad(translate(p_cursor, '-_', '+/'), (length(p_cursor) + 3) / 4 * 4, '='),
        'base64'), 'UTF8')::jsonb;
    end if;
  exception when others then
    v_cursor := null;
  end;
  if v_cursor is null or jsonb_typeof(v_cursor) <> 'object' then
    perform sediment.fail('invalid_cursor', 400, 'the cursor is not one that this service gave',
      'a next_cursor as it was given');
  end if;
  return v_cursor;
end $$;
