/** A fuzz in a process of its own, since it looks at the process's memory. Run as a script it is that process. */
import { runAlone } from "../../support/run_alone.ts";
import { type Finding, fuzz, type FuzzReport } from "./fuzz_run.ts";

/** What is told of it. */
export type FuzzSummary = Pick<FuzzReport, "mutants" | "outcomes"> & {
  wrong: Omit<Finding, "bytes">[];
};

/** Examines the first `count` mutants of a seed. */
export const fuzzAlone = (seed: number, count: number) =>
  runAlone<FuzzSummary>(import.meta.url, [String(seed), String(count)]);

if (import.meta.main) {
  const [seed, count] = Deno.args.map(Number);
  const { mutants, outcomes, wrong } = await fuzz({ seed, count });
  const told: FuzzSummary = {
    mutants,
    outcomes,
    wrong: wrong.map(({ index, file, what, verdict }) => ({ index, file, what, verdict })),
  };
  console.log(JSON.stringify(told));
  Deno.exit(0);
}
