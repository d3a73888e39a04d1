/** What `supabase gen types` reads of a schema, as one hash: tables, views, columns, foreign keys, functions. */
import { createHash } from "node:crypto";
import type { Sql } from "postgres";

/** SHA-256 of the shape of schema public, the same on every PostgreSQL version. */
export async function schemaShape(sql: Sql): Promise<string> {
  const [{ shape }] = await sql`
    with ours as (
      select c.oid, c.relname, c.relkind from pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
    )
    select jsonb_build_object(
      'columns', (select jsonb_agg(jsonb_build_array(o.relname, o.relkind, a.attname,
          format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef, a.attidentity)
          order by o.relname, a.attname)
        from ours o join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped),
      'references', (select jsonb_agg(jsonb_build_array(o.relname, k.conname, pg_get_constraintdef(k.oid))
          order by o.relname, k.conname)
        from ours o join pg_constraint k on k.conrelid = o.oid and k.contype = 'f'),
      'functions', (select jsonb_agg(jsonb_build_array(p.proname, pg_get_function_arguments(p.oid),
          pg_get_function_result(p.oid)) order by p.proname)
        from pg_proc p where p.pronamespace = 'public'::regnamespace)
    ) as shape`;
  return createHash("sha256").update(JSON.stringify(shape)).digest("hex");
}
