/**
 * `deno task simulate guards [--seeds N] [GUARD …]`: takes out one guard after the other and
 * runs seeds until a violation shows. Exit code 1 when a guard isn't missed within N seeds.
 */
import { parseArgs } from "node:util";
import { openDatabase, type SimulatedDatabase } from "./database.ts";
import { lockOrder, type Mutation, mutations, mutationSql, originalSql } from "./mutations.ts";
import { race } from "./races.ts";
import { runSeed } from "./seed.ts";

/**
 * Takes a guard out, runs seeds, and puts it back.
 *
 * @param seeds tried in order
 * @returns the first seed that misses it and what it saw; null when none does
 */
export async function findMissing(
  database: SimulatedDatabase,
  mutation: Mutation,
  seeds: Iterable<number>,
): Promise<{ seed: number; violation: string } | null> {
  await database.patch(await mutationSql(mutation));
  try {
    for (const seed of seeds) {
      const { violations } = await runSeed(database, seed, 400, new Set(), mutation.kind);
      if (violations.length > 0) return { seed, violation: violations[0]! };
    }
    return null;
  } finally {
    await database.patch(await originalSql(mutation));
  }
}

/** The first race that deadlocks when the order of locks is turned round; null when none does. */
async function findDeadlock(races: number): Promise<number | null> {
  const database = await openDatabase("real");
  try {
    await database.patch(await mutationSql(lockOrder));
    for (let seed = 1; seed <= races; seed++) {
      const { violations } = await race(database, seed);
      if (violations.some((violation) => /deadlocks/.test(violation))) return seed;
    }
    return null;
  } finally {
    await database.stop();
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: { seeds: { type: "string", default: "500" } },
  });
  const chosen = mutations.filter(({ guard }) =>
    positionals.length === 0 || positionals.includes(guard)
  );
  const database = await openDatabase();
  let holes = 0;
  for (const mutation of chosen) {
    const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index + 1);
    const found = await findMissing(database, mutation, seeds);
    if (!found) holes++;
    console.log(
      found
        ? `${mutation.guard}: missed at seed ${found.seed}: ${found.violation.slice(0, 160)}`
        : `${mutation.guard}: NOT MISSED within ${values.seeds} seeds`,
    );
  }
  await database.stop();
  if (positionals.length === 0 || positionals.includes(lockOrder.guard)) {
    const missed = await findDeadlock(Number(values.seeds));
    if (missed === null) holes++;
    console.log(
      `${lockOrder.guard}: ${missed === null ? "NOT MISSED" : `missed in race ${missed}`}`,
    );
  }
  Deno.exit(holes === 0 ? 0 : 1);
}
