begin;
select plan(3);

create temp view described as
  select c.relname, a.attname, col_description(c.oid, a.attnum) as comment,
    regexp_replace(substring(col_description(c.oid, a.attnum) from 'Default: (.*)\.$'), ' \(.*\)$', '') as said,
    pg_get_expr(d.adbin, d.adrelid) as expression
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  where c.oid in ('public.service_settings'::regclass, 'public.table_settings'::regclass, 'public.user_limits'::regclass);

select is_empty($$select relname, attname from described
  where comment is null or comment !~ '^[A-Z].*\. Unit: .+\. Default: .+\.$'$$,
  'every setting says its effect, its unit and its default');
select is_empty($$select d.attname, d.said, s.value from described d
  cross join lateral (select case jsonb_typeof(v) when 'null' then 'null'
      when 'array' then coalesce((select string_agg(x, ', ') from jsonb_array_elements_text(v) as x), '[]')
      else v #>> '{}' end as value
    from (select to_jsonb(r) -> d.attname as v from public.service_settings r) x) s
  where d.relname = 'service_settings' and d.attname <> 'updated_at' and d.said is distinct from s.value$$,
  'and the default is the one that a new deployment has');
select is_empty($$select relname, attname, said from described
  where relname <> 'service_settings' and said is distinct from coalesce(expression,
    case when attname in ('dataset_id', 'table', 'user_id') then 'none' else 'null' end)$$,
  'a table or a user has none of its own unless it is given one');

select * from finish();
rollback;
