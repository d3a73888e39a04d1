-- The date that a period tag names, as in 2024-11-25; null for any other.
create or replace function sediment.date_of_tag(p_tag text)
returns date
language plpgsql
immutable
set search_path = ''
as $$
begin
  if p_tag !~ '^\d{4}-\d{2}-\d{2}$' then
    return null;
  end if;
  return make_date(substr(p_tag, 1, 4)::integer, substr(p_tag, 6, 2)::integer, substr(p_tag, 9, 2)::integer);
exception when others then
  return null; -- digits that are no day
end $$;
