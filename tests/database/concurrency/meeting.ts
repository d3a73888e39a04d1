/** Two connections that run an operation each, in an interleaving that is forced, not hoped for. */
import postgres, { type Sql } from "postgres";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { tapFolder } from "../tap.ts";

/** How an operation ended: its answer, or the SQLSTATE and message of its error. */
export type Outcome = { answer: unknown } | { error: string };

/** A started statement, and whether it has come to an end or waits for a lock. */
interface Started {
  outcome: Promise<Outcome>;
  /** Resolves once the statement has ended (false) or waits for a lock (true). */
  settled(): Promise<boolean>;
}

export interface Meeting extends AsyncDisposable {
  /** Brings the world back to its beginning. */
  reset(): Promise<void>;
  /** The second operation starts while the first is done and not yet committed. */
  whileOpen(first: string, second: string, end: "commit" | "rollback"): Promise<Outcome[]>;
  /** Both start while a third connection holds what one of them needs, and go on when it lets go. */
  behind(barrier: string, first: string, second: string): Promise<Outcome[]>;
  /** Whether an operation comes to wait for what the barrier holds. */
  waits(barrier: string, operation: string): Promise<boolean>;
  /** Violated invariants; those of time leave an hour, since the world is as old as the meeting. */
  violations(): Promise<string[]>;
  sql: Sql;
}

const invariants = fileURLToPath(new URL("../../simulation/invariants.sql", import.meta.url));
const world = fileURLToPath(new URL("./world.sql", import.meta.url));

/**
 * @param url of the role postgres
 */
export async function openMeeting(url: string): Promise<Meeting> {
  const connect = () => postgres(url, { max: 1, onnotice: () => {}, fetch_types: false });
  const [first, second, holder, watcher] = [connect(), connect(), connect(), connect()];
  const all = [first, second, holder, watcher];
  const text = await Deno.readTextFile(join(tapFolder, "helpers", "fixtures.sql"));
  await watcher.unsafe(`begin; ${text}\n${await Deno.readTextFile(world)}; commit;`).simple();
  await watcher.unsafe("select tests.world(); select tests.keep();").simple();
  const check = await Deno.readTextFile(invariants);
  const pids = new Map<Sql, number>();
  for (const sql of all) {
    const [{ pid }] = await sql`select pg_backend_pid() as pid`;
    pids.set(sql, pid);
    // found out at once when two wait for each other, and never waiting for ever
    await sql`set deadlock_timeout = '50ms'`.catch(() => {});
    await sql`set statement_timeout = '120s'`;
  }

  function start(sql: Sql, statement: string): Started {
    let ended = false;
    const outcome = sql.unsafe(statement).simple().then(
      (rows): Outcome => ({ answer: Object.values((rows as unknown as object[])[0] ?? {})[0] }),
      (error): Outcome => ({ error: `${error.code} ${error.message}` }),
    ).finally(() => ended = true);
    return {
      outcome,
      async settled() {
        while (!ended) {
          const [{ waits }] = await watcher`
            select coalesce(bool_or(wait_event_type = 'Lock'), false) as waits
            from pg_stat_activity where pid = ${pids.get(sql)!}`;
          if (waits) return true;
        }
        return false;
      },
    };
  }

  return {
    sql: watcher,
    async reset() {
      await watcher.unsafe("select tests.restore()");
    },
    async whileOpen(a, b, end) {
      await first.unsafe("begin").simple();
      const one = await start(first, a).outcome;
      const two = start(second, b);
      await two.settled();
      await first.unsafe("error" in one ? "rollback" : end).simple();
      return [one, await two.outcome];
    },
    async behind(barrier, a, b) {
      await holder.unsafe("begin").simple();
      await holder.unsafe(barrier).simple();
      const one = start(first, a);
      await one.settled();
      const two = start(second, b);
      await two.settled();
      await holder.unsafe("commit").simple();
      return [await one.outcome, await two.outcome];
    },
    async waits(barrier, a) {
      await holder.unsafe("begin").simple();
      await holder.unsafe(barrier).simple();
      const one = start(first, a);
      const waited = await one.settled();
      await holder.unsafe("commit").simple();
      await one.outcome;
      return waited;
    },
    async violations() {
      const rows = await watcher.unsafe(check, ["1 hour"], { prepare: true });
      return rows.map((row) => `${row.invariant}: ${row.what}`);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((sql) => sql.end({ timeout: 5 })));
    },
  };
}
