/**
 * `deno run -A tests/simulation/runs/guards.ts [--seeds N] [GUARD …]`: takes out one guard after the other and
 * runs seeds until a violation shows. Exit code 1 when a guard isn't missed within N seeds.
 */
import { parseArgs } from "node:util";
import { openDatabase } from "./database.ts";
import { type Mutation, mutations, mutationSql } from "./mutations.ts";
import { runSeed } from "./seed.ts";

/** The first seed that finds the missing guard, and what it found; null when none does. */
export async function findMissing(
  mutation: Mutation,
  seeds: number,
): Promise<{ seed: number; violation: string } | null> {
  const database = await openDatabase([await mutationSql(mutation)]);
  try {
    for (let seed = 1; seed <= seeds; seed++) {
      const { violations } = await runSeed(database, seed, 400);
      if (violations.length > 0) return { seed, violation: violations[0]! };
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
  let holes = 0;
  for (const mutation of chosen) {
    const found = await findMissing(mutation, Number(values.seeds));
    if (!found) holes++;
    console.log(
      found
        ? `${mutation.guard}: missed at seed ${found.seed}: ${found.violation.slice(0, 160)}`
        : `${mutation.guard}: NOT MISSED within ${values.seeds} seeds`,
    );
  }
  Deno.exit(holes === 0 ? 0 : 1);
}
