/**
 * `deno task simulate runs|field --seeds N [--seed S] [--steps M] [--json]`: seeds S … S+N−1, on as many lanes as
 * there are cores, each with a PostgreSQL of its own. Exit code 1 when an invariant was violated.
 */
import { parseArgs } from "node:util";
import { openDatabase } from "./database.ts";
import { race } from "./races.ts";
import { runSeed } from "./seed.ts";
import { shrink, type SmallFailure } from "./shrink.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seeds: { type: "string", default: "50" },
    seed: { type: "string", default: "1" },
    steps: { type: "string", default: "400" },
    lane: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    field: { type: "boolean", default: false },
    races: { type: "boolean", default: false },
    without: { type: "string", default: "" },
    patch: { type: "string", multiple: true, default: [] },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(`deno task simulate runs|field [--seeds N] [--seed S] [--steps M] [--races] [--json]
  --seeds N    how many seeds (default 50)
  --seed S     the first of them (default 1); one seed replays exactly
  --steps M    calls through ports in a seed's storm, at most (default 400)
  --races      the actors run at once, on four connections: races inside the SQL, deadlocks, cut connections
  --without N,N  leaves the faults of these steps out
  --patch F    a file of SQL applied first: a guard taken out, to see that it is missed`);
  Deno.exit(0);
}
const first = Number(values.seed);
const count = Number(values.seeds);
const steps = Number(values.steps);
if (![first, count, steps].every(Number.isInteger) || count < 1 || steps < 1) {
  console.error("--seeds, --seed and --steps take whole numbers");
  Deno.exit(2);
}

const kind = values.field ? "field" : "runs";
const without = new Set(values.without.split(",").filter(Boolean).map(Number));
const totals = { seeds: 0, steps: 0, faults: 0, violations: 0 };
const started = performance.now();
const lanes = values.races ? 1 : Math.min(count, navigator.hardwareConcurrency);
const patches = await Promise.all(values.patch.map((path) => Deno.readTextFile(path)));
let next = first;
await Promise.all(Array.from({ length: lanes }, async () => {
  const database = await openDatabase(values.races ? "real" : "virtual");
  for (const patch of patches) await database.patch(patch);
  try {
    while (next < first + count) {
      const report = values.races
        ? await race(database, next++)
        : await runSeed(database, next++, steps, without, kind);
      totals.seeds++;
      totals.steps += report.steps;
      totals.faults += report.faults;
      if (report.violations.length === 0) continue;
      totals.violations++;
      print(
        report.seed,
        // a race is not the same twice
        values.races ? { report, steps, without: [] } : await shrink(database, report, steps, kind),
      );
    }
  } finally {
    await database.stop();
  }
}));
const seconds = Math.round((performance.now() - started) / 100) / 10;
console.error(
  `${totals.seeds} seeds, ${totals.steps} steps, ${totals.faults} faults, ${totals.violations} seeds with violations, ${seconds} s`,
);
if (values.json) console.log(JSON.stringify(totals));
Deno.exit(totals.violations === 0 ? 0 : 1);

/** The violations and what led there: the faults that matter, and the last steps before the end. */
function print(seed: number, { report, steps, without }: SmallFailure): void {
  console.error(`\nseed ${seed}: ${report.violations.length} violations`);
  for (const violation of report.violations.slice(0, 5)) console.error(`  ${violation}`);
  const told = report.trace.filter((line, index) =>
    line.fault !== "none" || index >= report.trace.length - 12 ||
    /^(commit|claim|fail)/.test(line.call)
  );
  for (const { step, actor, call, fault } of told.slice(-40)) {
    console.error(
      `  ${String(step).padStart(4)} ${actor.padEnd(14)} ${call} ${
        fault === "none" ? "" : `← ${fault}`
      }`,
    );
  }
  const left = without.length > 0 ? ` --without ${without.join(",")}` : "";
  console.error(
    `  replay: deno task simulate ${kind} --seeds 1 --seed ${seed} --steps ${steps}${left}`,
  );
}
