-- Says the type of an empty answer, as plpgsql_check asks.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION sediment.names_of(d public.datasets)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if not d.has_aliases then
    return '{}'::jsonb;
  end if;
  return (select coalesce(jsonb_object_agg(n."table", n.name), '{}') from public.table_names n
    where n.dataset_id = d.id and n.is_current);
end $function$;
