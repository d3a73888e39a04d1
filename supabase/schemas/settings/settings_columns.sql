-- The columns of a table of settings that may be changed, by name, with what each means (its comment) and what it takes.
-- Returns [{name, says|null, unit|null, default|null, type, required, check|null}]; check is the column's, in SQL.
create or replace function sediment.settings_columns(p_settings regclass)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_agg(jsonb_build_object('name', a.attname, 'says', btrim(substring(c.says from '^(.*?)\s*Unit:')),
      'unit', substring(c.says from 'Unit:\s*(.*?)\.?\s*Default:'),
      'default', substring(c.says from 'Default:\s*(.*?)\.?\s*$'),
      'type', pg_catalog.format_type(a.atttypid, null), 'required', a.attnotnull, 'check', k.said) order by a.attname)
    from pg_catalog.pg_attribute a
    cross join lateral (select pg_catalog.col_description(a.attrelid, a.attnum) as says) c
    left join lateral (
      select string_agg(regexp_replace(pg_catalog.pg_get_constraintdef(x.oid, true), '^CHECK \((.*)\)$', '\1'), ' and ') as said
      from pg_catalog.pg_constraint x
      where x.conrelid = a.attrelid and x.contype = 'c' and a.attnum = any (x.conkey)) k on true
    where a.attrelid = p_settings and a.attnum > 0 and not a.attisdropped
      and a.attname <> all ('{id,dataset_id,table,user_id,planner_version,plan_changed_at,signed_url_until,updated_at}'::name[]));
end $$;
