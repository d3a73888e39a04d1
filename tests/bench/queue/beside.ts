/**
 * What a run costs the catalog in this tree and in another one, an older checkout with its node_modules: each drains a
 * queue of its own by its own `bench queue`, in turns, since the workers of one may not know the catalog of the other.
 */
import { repositoryRoot } from "../../../supabase/local/parts/npm_packages.ts";
import { median } from "../median.ts";
import type { Drained } from "./drain.ts";

/** This tree's cost of a run by the other's. */
export interface QueueBeside {
  beside: string;
  partitions: number;
  workers: number;
  rounds: number;
  /** Median of the rounds' ratios of the catalog's CPU; over 1: this tree takes more. */
  ratio: number;
  /** CPU of PostgreSQL, milliseconds a run: the other tree's, then this one's. */
  catalog_cpu_ms_per_run: [number, number];
}

/** Drains in both trees, so many rounds; who goes first changes. */
export async function queueBeside(
  dir: string,
  { partitions, workers, rounds }: { partitions: number; workers: number; rounds: number },
): Promise<QueueBeside> {
  const theirs: number[] = [], ours: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const order = [[dir, theirs], [repositoryRoot, ours]] as const;
    for (const [tree, costs] of round % 2 === 0 ? order : order.toReversed()) {
      costs.push((await drainIn(tree, partitions, workers)).catalog_cpu_ms_per_run);
    }
  }
  const rounded = (value: number) => Math.round(value * 1000) / 1000;
  return {
    ...{ beside: dir, partitions, workers, rounds },
    ratio: rounded(median(ours.map((cost, round) => cost / theirs[round]!))),
    catalog_cpu_ms_per_run: [rounded(median(theirs)), rounded(median(ours))],
  };
}

async function drainIn(tree: string, partitions: number, workers: number): Promise<Drained> {
  const options = ["--partitions", String(partitions), "--workers", String(workers), "--json"];
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tests/bench/main.ts", "queue", ...options],
    cwd: tree,
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`bench queue failed in ${tree}`);
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  return JSON.parse(lines.at(-1)!).drained[0];
}
