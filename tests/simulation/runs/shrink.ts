/** Makes a failing seed small: the shortest storm that fails, then without every fault that it does not need. */
import type { SimulatedDatabase } from "./database.ts";
import { runSeed, type SeedKind, type SeedReport } from "./seed.ts";

/** A seed that fails, as small as it was made. */
export interface SmallFailure {
  report: SeedReport;
  steps: number;
  /** Steps whose faults were left out. */
  without: number[];
}

/**
 * Shrinks.
 *
 * @param failing the report of a run with violations over `steps` steps
 * @param tries runs that may be spent
 */
export async function shrink(
  database: SimulatedDatabase,
  failing: SeedReport,
  steps: number,
  kind: SeedKind = "runs",
  tries = 60,
): Promise<SmallFailure> {
  let small: SmallFailure = { report: failing, steps, without: [] };
  const attempt = async (fewer: number, without: number[]): Promise<boolean> => {
    if (tries-- <= 0) return false;
    const report = await runSeed(database, failing.seed, fewer, new Set(without), kind);
    if (report.violations.length === 0) return false;
    small = { report, steps: fewer, without };
    return true;
  };
  for (let [low, high] = [1, Math.min(steps, failing.steps)]; low < high;) {
    const middle = (low + high) >> 1;
    if (await attempt(middle, [])) high = middle;
    else low = middle + 1;
  }
  // The last ones first: what comes before a fault that goes stays as it was.
  let before = Infinity;
  while (tries > 0) {
    const next = small.report.trace.findLast(({ step, fault }) =>
      fault !== "none" && step < before
    );
    if (next === undefined) break;
    before = next.step;
    await attempt(small.steps, [...small.without, next.step]);
  }
  return small;
}
