-- Tables and period tags become path segments of object keys: nothing but these characters may pass. Null for a
-- name that may.
create or replace function sediment.name_failure(p_field text, p_name text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when p_name is null or p_name !~ '^[A-Za-z0-9_-]{1,64}$' then
    sediment.failure('invalid_name', 400,
      format('%s is %s', p_field, coalesce(quote_literal(left(p_name, 80)), 'null')), '^[A-Za-z0-9_-]{1,64}$')
  end;
end $$;
