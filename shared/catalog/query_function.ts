/** One call of a SQL function over a PostgreSQL client. */
import type { Sql } from "postgres";

/** The part of a postgres.js client, or of a transaction of one, that is used. */
export type SqlClient = Pick<Sql, "unsafe">;

/** How a function is called, and what is known of the call meanwhile. */
export interface CallPlan {
  /**
   * Whether the server keeps the statement, which spares a way there and back at the next call; set to false where one
   * was lost, as behind a pooler that gives each transaction to another server.
   */
  prepare: boolean;
  /** The driver's query: once it is sent, its `state` says who works on it. */
  query?: { state?: { pid: number | null; secret: number | null } };
}

/**
 * Calls one SQL function of the schema public.
 *
 * @param args by the names that the function gives them
 * @returns the function's jsonb
 * @throws what the driver throws
 */
export async function queryFunction(
  sql: SqlClient,
  functionName: string,
  args: Record<string, unknown>,
  plan: CallPlan = { prepare: true },
): Promise<unknown> {
  const names = Object.keys(args);
  // names come from our own types; PostgreSQL tells the driver each argument's type
  const list = names.map((name, index) => `${name} => $${index + 1}`).join(", ");
  const query = sql.unsafe(
    `select public.${functionName}(${list}) as answer`,
    // deno-lint-ignore no-explicit-any -- postgres.js types jsonb and array parameters too narrowly
    names.map((name) => args[name]) as any[],
    { prepare: plan.prepare },
  );
  plan.query = query as unknown as CallPlan["query"];
  // postgres.js 3.4.9 makes such a call again by itself, but with arguments that are text already, so that a jsonb
  // becomes a string, and tells the first error in place of the second.
  Object.defineProperty(query, "retried", {
    get: () => undefined,
    set() {
      plan.prepare = false;
      Object.assign(query, { parameters: undefined, options: { prepare: false } });
    },
  });
  const [row] = await query;
  return row.answer;
}
