/**
 * What the functions of the last release call: the SQL functions of schema public with their arguments. They may meet
 * a newer schema, so each must still be there under the same names. The list is released.json; a release writes it.
 */
import { fileURLToPath } from "node:url";
import type { Sql } from "postgres";

/** The list that is committed; empty before the first release. */
export const releasedFile = fileURLToPath(new URL("./released.json", import.meta.url));

/** A SQL function as its callers know it: they name each argument. */
export interface Callable {
  /** Argument → type, of those that a caller may name. */
  arguments: Record<string, string>;
  /** Names of those that have a default. */
  optional: string[];
}

/** By the function's name; none is overloaded. */
export type Callables = Record<string, Callable>;

/** Of a database. */
export async function readCallables(sql: Sql): Promise<Callables> {
  const rows = await sql`
    select p.proname as name, coalesce(p.proargnames, '{}') as names, p.pronargdefaults as defaults,
      array(select format_type(t, null) from unnest(p.proargtypes) with ordinality as a(t, n) order by n) as types
    from pg_proc p where p.pronamespace = 'public'::regnamespace order by 1`;
  return Object.fromEntries(rows.map(({ name, names, types, defaults }) => {
    const args = (types as string[]).map((type, index) => [names[index], type]);
    const optional = args.slice(args.length - defaults).map(([arg]) => arg);
    return [name, { arguments: Object.fromEntries(args), optional }];
  }));
}
