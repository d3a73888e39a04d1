-- Tables and period tags become path segments of object keys: nothing but these characters may pass.
create or replace function sediment.check_name(p_field text, p_name text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_name is null or p_name !~ '^[A-Za-z0-9_-]{1,64}$' then
    perform sediment.fail('invalid_name', 400,
      format('%s is %s', p_field, coalesce(quote_literal(left(p_name, 80)), 'null')),
      '^[A-Za-z0-9_-]{1,64}$');
  end if;
end $$;
