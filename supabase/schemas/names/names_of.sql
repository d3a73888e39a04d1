-- What the renamed tables of a dataset are called now: {first name: name}.
create or replace function sediment.names_of(d public.datasets)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if not d.has_aliases then
    return '{}'::jsonb;
  end if;
  return (select coalesce(jsonb_object_agg(n."table", n.name), '{}') from public.table_names n
    where n.dataset_id = d.id and n.is_current);
end $$;
