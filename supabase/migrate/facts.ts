/** What a database holds of the catalog that the engine of compare.ts does not look at. */
import type { Sql, TransactionSql } from "postgres";

/** One of them: two databases differ where they do not have the same. */
export interface Fact {
  kind: string;
  name: string;
  what: string;
}

const factsSql = await Deno.readTextFile(new URL("./facts.sql", import.meta.url));

/** Every fact of facts.sql, and every row that the catalog's tables begin with. */
export async function readFacts(sql: Sql): Promise<Fact[]> {
  return await sql.begin(async (tx) => {
    // so that every name comes with its schema, whatever the role's setting is
    await tx`set local search_path = ''`;
    const rows = await tx.unsafe(factsSql);
    const facts = rows.map(({ kind, name, what }) => ({ kind, name, what: what ?? "" }));
    return [...facts, ...await seedRows(tx)];
  });
}

/** Times differ by when a database was made, so they are left out. */
async function seedRows(sql: TransactionSql): Promise<Fact[]> {
  const tables = await sql`
    select c.oid::regclass::text as name, array(
        select a.attname::text from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.atttypid <> 'timestamptz'::regtype
        order by a.attnum) as columns
    from pg_class c where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'sediment'::regnamespace)
    order by 1`;
  const facts: Fact[] = [];
  for (const { name, columns } of tables) {
    const list = (columns as string[]).map((column) => `"${column}"`).join(", ");
    const rows = await sql.unsafe(
      `select to_jsonb(r)::text as what from (select ${list} from ${name}) as r order by 1`,
    );
    rows.forEach(({ what }, index) => facts.push({ kind: "row", name: `${name} ${index}`, what }));
  }
  return facts;
}
