import { join } from "node:path";
import { mergeCost } from "../../../shared/compaction/plan/merge_cost.ts";
import { openDuckdb } from "../../support/duckdb.ts";
import { fingerprint, scanRatio } from "./compare.ts";
import { median } from "../median.ts";
import type { Cost } from "./measure.ts";
import { workOfShape } from "./points.ts";
import { inProcess, listOf } from "./process.ts";
import type { Shape } from "./shapes.ts";

/** Others that merge in JavaScript or wasm, by the script that runs each. */
const peers = {
  "duckdb-wasm": "./peers/duckdb_wasm.ts",
  "hyparquet": "./peers/hyparquet.ts",
  "parquet-wasm": "./peers/parquet_wasm.ts",
};

/** What another took for the same files, or why it did not merge them. */
export type PeerCost = {
  cpu_ms: number;
  /** To native DuckDB's CPU, as ours. */
  ratio: number;
  peak_mb: number;
  equal: boolean;
} | { failed: string };

/** A peer that takes longer for one merge has failed. */
const peerLimitMs = 60_000;

/** One line of the table. */
export interface Line {
  shape: string;
  ours_cpu_ms: number;
  duckdb_cpu_ms: number;
  ratio: number;
  peak_mb: number;
  size_ratio: number;
  scan_ratio: number;
  /** Half the width of its 95 % interval. */
  scan_error: number;
  equal: boolean;
  /** Ours without writing the output to a disk, which the planner does not count. */
  unwritten_cpu_ms: number;
  /** What the planner would have expected of that. */
  predicted_cpu_ms: number;
  predicted_mb: number;
  /** With peers. */
  peers?: Record<string, PeerCost>;
}

/** Merges a shape by us and by DuckDB in turn, `runs` times each, and compares the outputs. */
export async function benchShape(
  shape: Shape,
  folder: string,
  runs: number,
  withPeers: boolean,
): Promise<Line> {
  const list = join(folder, "files.txt");
  const ours = join(folder, `ours-${shape.name}.parquet`);
  const duckdb = join(folder, `duckdb-${shape.name}.parquet`);
  await Deno.writeTextFile(list, listOf(shape.files));
  const job = JSON.stringify({ list, output: ours, plan: shape.plan });
  const unwritten = JSON.stringify({ list, output: "/dev/null", plan: shape.plan });
  const costs: Record<"ours" | "unwritten" | "duckdb", Cost[]> = {
    ours: [],
    unwritten: [],
    duckdb: [],
  };
  const others: Peer[] = Object.entries(withPeers ? peers : {}).map(([name, script]) => ({
    name,
    script,
    output: join(folder, `${name}.parquet`),
    costs: [],
    failed: undefined,
  }));
  for (let run = 0; run < runs; run++) {
    costs.ours.push(await inProcess("./ours.ts", job));
    costs.unwritten.push(await inProcess("./ours.ts", unwritten));
    costs.duckdb.push(await inProcess("./duckdb_run.ts", shape.duckdb(duckdb)));
    for (const peer of others) {
      const { script, output, costs } = peer;
      if (peer.failed !== undefined) continue;
      const job = JSON.stringify({ list, output, plan: shape.plan });
      try {
        costs.push(await inProcess(script, job, peerLimitMs));
      } catch (error) {
        peer.failed = firstError((error as Error).message);
      }
    }
  }
  const connection = await openDuckdb(1);
  const [a, b] = [
    await fingerprint(connection, ours),
    await fingerprint(connection, duckdb),
  ];
  const prints = new Map<string, string>();
  for (const { name, output, failed } of others) {
    if (failed === undefined) prints.set(name, await fingerprint(connection, output));
  }
  const scan = await scanRatio(connection, [ours, duckdb]);
  connection.closeSync();
  const oursCpu = median(costs.ours.map((cost) => cost.cpuMs));
  const duckdbCpu = median(costs.duckdb.map((cost) => cost.cpuMs));
  const predicted = mergeCost(await workOfShape(shape));
  const line: Line = {
    shape: shape.name,
    ours_cpu_ms: Math.round(oursCpu),
    duckdb_cpu_ms: Math.round(duckdbCpu),
    ratio: Number((oursCpu / duckdbCpu).toFixed(3)),
    peak_mb: Math.round(Math.max(...costs.ours.map((cost) => cost.peakMb))),
    size_ratio: Number((Deno.statSync(ours).size / Deno.statSync(duckdb).size).toFixed(3)),
    scan_ratio: Number(scan.ratio.toFixed(3)),
    scan_error: Number(scan.error.toFixed(3)),
    equal: a === b,
    unwritten_cpu_ms: Math.round(median(costs.unwritten.map((cost) => cost.cpuMs))),
    predicted_cpu_ms: Math.round(predicted.cpuMs),
    predicted_mb: Math.round(predicted.memoryMb),
  };
  if (others.length > 0) {
    line.peers = Object.fromEntries(others.map(({ name, costs, failed }): [string, PeerCost] => {
      if (failed !== undefined) return [name, { failed }];
      const cpu = median(costs.map((cost) => cost.cpuMs));
      return [name, {
        cpu_ms: Math.round(cpu),
        ratio: Number((cpu / duckdbCpu).toFixed(3)),
        peak_mb: Math.round(Math.max(...costs.map((cost) => cost.peakMb))),
        equal: prints.get(name) === b,
      }];
    }));
  }
  const made = [ours, duckdb, list, ...others.map(({ output }) => output)];
  // a peer that failed may have made none
  await Promise.all(made.map((path) => Deno.remove(path).catch(() => {})));
  return line;
}

/** A peer in its turns. */
interface Peer {
  name: string;
  script: string;
  output: string;
  costs: Cost[];
  failed: string | undefined;
}

/** The line of a process's last words that tells what went wrong. */
function firstError(text: string): string {
  // deno-lint-ignore no-control-regex
  const lines = text.replaceAll(/\x1b\[[0-9;]*m/g, "").split("\n");
  return (lines.find((line) => /^error\b|error: |panicked|^ended after/i.test(line)) ?? lines[0])
    .trim().slice(
      0,
      200,
    );
}
