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

/** What another took for the same files. */
interface PeerCost {
  cpu_ms: number;
  /** To native DuckDB's CPU, as ours. */
  ratio: number;
  peak_mb: number;
  equal: boolean;
}

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
  /** What the planner would have expected of ours. */
  predicted_cpu_ms: number;
  predicted_mb: number;
  /** With peers, for shape A. */
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
  const costs: { ours: Cost[]; duckdb: Cost[] } = { ours: [], duckdb: [] };
  const others = Object.entries(withPeers && shape.name === "A" ? peers : {})
    .map(([name, script]) => {
      const output = join(folder, `${name}.parquet`);
      return { name, script, output, costs: [] as Cost[] };
    });
  for (let run = 0; run < runs; run++) {
    costs.ours.push(await inProcess("./ours.ts", job));
    costs.duckdb.push(await inProcess("./duckdb_run.ts", shape.duckdb(duckdb)));
    for (const { script, output, costs } of others) {
      costs.push(await inProcess(script, JSON.stringify({ list, output, plan: shape.plan })));
    }
  }
  const connection = await openDuckdb(1);
  const [a, b] = [
    await fingerprint(connection, ours),
    await fingerprint(connection, duckdb),
  ];
  const prints = new Map<string, string>();
  for (const { name, output } of others) prints.set(name, await fingerprint(connection, output));
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
    predicted_cpu_ms: Math.round(predicted.cpuMs),
    predicted_mb: Math.round(predicted.memoryMb),
  };
  if (others.length > 0) {
    line.peers = Object.fromEntries(others.map(({ name, costs }): [string, PeerCost] => {
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
  await Promise.all(made.map((path) => Deno.remove(path)));
  return line;
}
