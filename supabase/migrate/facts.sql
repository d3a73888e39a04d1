-- What a database holds of the catalog beside what pg-delta compares, one fact a row: (kind, name, what). It knows
-- neither rows nor the order of columns, and leaves what belongs to an extension alone: pgmq's tables are that.
with relations as (
  select c.oid, n.nspname, c.relname, c.relkind, c.oid::regclass::text as name, c.relowner, c.relacl,
    c.relrowsecurity, c.relforcerowsecurity, c.reloptions
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'sediment', 'lake', 'pgmq', 'storage', 'cron') and c.relkind in ('r', 'p', 'v', 'm', 'S')
)
select 'column order' as kind, format('%s.%s', r.name, a.attname) as name,
  (row_number() over (partition by r.oid order by a.attnum))::text as what
from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
where r.relkind in ('r', 'p')
union all
-- an access list without an entry is the default one
select 'rights', r.name, concat_ws(' ', r.relowner::regrole, (
    select string_agg(x::text, ' ' order by x::text)
    from unnest(coalesce(r.relacl, acldefault(case r.relkind when 'S' then 's' else 'r' end::"char", r.relowner))) as x))
from relations r
union all
select 'row security', r.name, concat_ws(' ', r.relrowsecurity, r.relforcerowsecurity)
from relations r where r.relkind in ('r', 'p')
union all
select 'options', r.name, array_to_string(r.reloptions, ' ') from relations r where r.reloptions is not null
union all
select 'column', format('%s.%s', r.name, a.attname),
  concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
    (select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d where d.adrelid = r.oid and d.adnum = a.attnum))
from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
where r.relkind in ('r', 'p')
union all
-- -1, which PostgreSQL 17 words as null, is the default of statistics
select 'column storage', format('%s.%s', r.name, a.attname),
  concat_ws(' ', a.attstorage, a.attcompression, nullif(a.attstattarget, -1))
from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
where r.relkind in ('r', 'p')
union all
select 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
from relations r join pg_index i on i.indrelid = r.oid
union all
select 'policy', format('%s on %s', p.polname, r.name), concat_ws(' ', p.polcmd, p.polpermissive,
  (select array_agg(x::regrole::text order by x) from unnest(p.polroles) as x),
  pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
from relations r join pg_policy p on p.polrelid = r.oid
union all
select 'trigger', format('%s on %s', t.tgname, r.name), pg_get_triggerdef(t.oid)
from relations r join pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal
union all
select 'comment', concat_ws(' ', d.classoid::regclass, x.type, x.identity), d.description
from pg_description d
cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) as x
where x.schema in ('public', 'sediment', 'lake', 'pgmq', 'storage', 'cron')
  or x.identity in ('public', 'sediment', 'lake', 'pgmq')
union all
select 'schema', n.nspname, concat_ws(' ', n.nspowner::regrole,
  (select string_agg(x::text, ' ' order by x::text) from unnest(n.nspacl) as x))
from pg_namespace n where n.nspname in ('public', 'sediment', 'lake', 'pgmq')
union all
select 'extension', e.extname, e.extnamespace::regnamespace::text from pg_extension e
union all
select 'queue', m.queue_name::text, concat_ws(' ', m.is_partitioned, m.is_unlogged) from pgmq.meta m
union all
select 'job', j.jobname, concat_ws(' ', j.username, j.active, j.schedule, j.command) from cron.job j
union all
select 'bucket', b.id, (to_jsonb(b) - 'created_at' - 'updated_at')::text from storage.buckets b
order by 1, 2, 3
