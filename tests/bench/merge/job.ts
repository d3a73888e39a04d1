/** What a process of the bench is to merge. */
import type { HostLimits } from "../../../shared/compression/host_limits.ts";
import type { MergePlan } from "../../../shared/parquet/merge/merge_plan.ts";

/** Argument of a merging process, as JSON. */
export interface Job {
  /** A file that holds the paths, line by line, with their sizes before them. */
  list: string;
  output: string;
  /** How often the files are merged over, as if they were others. @default 1 */
  times?: number;
  /** Level of all inputs in the catalog. @default 1 of the healthy files, else 0 */
  level?: number;
  /** What the host can decompress, instead of what it can. */
  host?: HostLimits;
  /**
   * The rows of the one file come from that many uploads in turn, `run` of them each time; those of the first are left out.
   * @default all rows are taken
   */
  filter?: { uploads: number; run: number };
  plan: Omit<MergePlan, "inputs">;
}

/** The files that a job's list names, in order. */
export function listedFiles(list: string): { path: string; size: number }[] {
  return Deno.readTextFileSync(list).trim().split("\n").map((line) => {
    const space = line.indexOf(" ");
    return { size: Number(line.slice(0, space)), path: line.slice(space + 1) };
  });
}
