/** What `deno task bench upload` prints of a case. */
import { median } from "../median.ts";
import { spentEach } from "../process_cpu.ts";
import { memoryOfTree } from "../process_memory.ts";
import type { CatalogWay } from "../../../supabase/local/stack.ts";
import type { Address } from "./bench_stack.ts";

const onLinux = Deno.build.os === "linux";

/** Resident megabytes of the stack's process; proportional ones of its children. Null where there is no /proc. */
export async function stackMegabytes({ pid }: Address): Promise<[number | null, number | null]> {
  if (!onLinux) return [null, null];
  const memory = await memoryOfTree(pid);
  const own = memory.find((process) => process.pid === pid);
  const others = memory.filter((process) => process.pid !== pid);
  return [
    own === undefined ? null : Math.round(own.rss / 1e6),
    Math.round(others.reduce((sum, { pss }) => sum + pss, 0) / 1e6),
  ];
}

/** What was measured of one case. */
export interface Total {
  /** Wall milliseconds of the rounds, each so many uploads and then as many PUTs. */
  rounds: { calls: number; uploads: number; puts: number }[];
  /** Wall milliseconds of each upload. */
  each: number[];
  /** CPU milliseconds by program, sums. */
  uploadCpu: Record<string, number>;
  putCpu: Record<string, number>;
}

/** One case as a line: JSON, or of the table. */
export async function caseLine(
  { stack, catalog, concurrency, total, spent, read, json }: {
    stack: Address;
    catalog: CatalogWay;
    concurrency: number;
    total: Total;
    /** Milliseconds by name, from the Server-Timing of the answers that were read. */
    spent: Record<string, number>;
    /** How many were. */
    read: number;
    json: boolean;
  },
): Promise<string> {
  const sorted = total.each.sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  const perSecond = (kind: "uploads" | "puts") =>
    median(total.rounds.map((round) => round.calls / round[kind] * 1000));
  const means = Object.fromEntries(
    Object.entries(spent).map(([name, ms]) => [name, Number((ms / read).toFixed(2))]),
  );
  const [rss] = await stackMegabytes(stack);
  const line = {
    catalog,
    concurrency,
    // Medians of the rounds: a machine that is faster for a second is so for both halves of one.
    uploads_per_s: Number(perSecond("uploads").toFixed(1)),
    put_per_s: Number(perSecond("puts").toFixed(1)),
    ratio: Number(median(total.rounds.map(({ uploads, puts }) => puts / uploads)).toFixed(3)),
    p50_ms: Number(at(0.5).toFixed(2)),
    p99_ms: Number(at(0.99).toFixed(2)),
    ms_of: means,
    cpu_ms_of: spentEach({}, total.uploadCpu, sorted.length),
    put_cpu_ms_of: spentEach({}, total.putCpu, sorted.length),
    stack_mb: rss,
  };
  if (json) return JSON.stringify(line);
  const cell = (value: unknown, width: number) => String(value).padStart(width);
  const text = (numbers: Record<string, number>) =>
    Object.entries(numbers).map(([name, ms]) => `${name} ${ms}`).join(", ");
  return (
    cell(catalog, 10) + cell(concurrency, 9) + cell(line.uploads_per_s, 12) +
    cell(line.put_per_s, 11) +
    cell(line.ratio, 8) +
    cell(line.p50_ms, 10) + cell(line.p99_ms, 10) + cell(line.stack_mb, 5) + "   " +
    text(means) + `\n${cell("", 21)}CPU ms an upload: ${text(line.cpu_ms_of)};` +
    ` a PUT: ${text(line.put_cpu_ms_of)}`
  );
}
