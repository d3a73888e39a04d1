/**
 * `deno task bench merge [--json] [--shape A] [--runs 5] [--data DIR]`: the merge core beside native DuckDB with
 * one thread. Each run is a cold process; the two take turns; medians. DuckDB's start-up is left out, the
 * instantiation of our kernels is not. With --data the inputs are kept there for the next time. --memory merges
 * shape A once, 4, 16 and 33 times over (1.25 GB) instead, and prints the peak of each. --peers lets others that
 * run in an isolate merge shape A in the same turns.
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { openDuckdb } from "../support/duckdb.ts";
import { fingerprint, scanTimes } from "./merge/compare.ts";
import { type Cost, median } from "./merge/measure.ts";
import { makeShape, type Shape, shapeNames } from "./merge/shapes.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    json: { type: "boolean", default: false },
    shape: { type: "string", multiple: true },
    runs: { type: "string", default: "5" },
    data: { type: "string" },
    memory: { type: "boolean", default: false },
    peers: { type: "boolean", default: false },
  },
});

async function inProcess(script: string, argument: string): Promise<Cost> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-lock",
      ...(script.includes("ours") ? ["--no-config"] : []),
      decodeURIComponent(new URL(script, import.meta.url).pathname),
      argument,
    ],
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
}

/**
 * Others that merge in JavaScript or wasm, by the script that runs each. Not duckdb-wasm: it fetches its Parquet
 * extension from extensions.duckdb.org when it runs.
 */
const peers = {
  "hyparquet": "./merge/peers/hyparquet.ts",
  "parquet-wasm": "./merge/peers/parquet_wasm.ts",
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
interface Line {
  shape: string;
  ours_cpu_ms: number;
  duckdb_cpu_ms: number;
  ratio: number;
  peak_mb: number;
  size_ratio: number;
  scan_ratio: number;
  equal: boolean;
  /** With --peers, for shape A. */
  peers?: Record<string, PeerCost>;
}

async function bench(shape: Shape, folder: string, runs: number): Promise<Line> {
  const list = join(folder, "files.txt");
  const ours = join(folder, `ours-${shape.name}.parquet`);
  const duckdb = join(folder, `duckdb-${shape.name}.parquet`);
  const sizes = shape.files.map((path) => `${Deno.statSync(path).size} ${path}`);
  await Deno.writeTextFile(list, sizes.join("\n"));
  const job = JSON.stringify({ list, output: ours, plan: shape.plan });
  const costs: { ours: Cost[]; duckdb: Cost[] } = { ours: [], duckdb: [] };
  const others = Object.entries(options.peers && shape.name === "A" ? peers : {})
    .map(([name, script]) => {
      const output = join(folder, `${name}.parquet`);
      return { name, script, output, costs: [] as Cost[] };
    });
  for (let run = 0; run < runs; run++) {
    costs.ours.push(await inProcess("./merge/ours.ts", job));
    costs.duckdb.push(await inProcess("./merge/duckdb_run.ts", shape.duckdb(duckdb)));
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
  const [oursScan, duckdbScan] = await scanTimes(connection, [ours, duckdb]);
  connection.closeSync();
  const oursCpu = median(costs.ours.map((cost) => cost.cpuMs));
  const duckdbCpu = median(costs.duckdb.map((cost) => cost.cpuMs));
  const line: Line = {
    shape: shape.name,
    ours_cpu_ms: Math.round(oursCpu),
    duckdb_cpu_ms: Math.round(duckdbCpu),
    ratio: Number((oursCpu / duckdbCpu).toFixed(3)),
    peak_mb: Math.round(Math.max(...costs.ours.map((cost) => cost.peakMb))),
    size_ratio: Number((Deno.statSync(ours).size / Deno.statSync(duckdb).size).toFixed(3)),
    scan_ratio: Number((oursScan / duckdbScan).toFixed(3)),
    equal: a === b,
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

/** Peak memory and CPU by the size of the input, which is shape A over and over. */
async function memoryCurve(data: string, folder: string): Promise<void> {
  const shape = await makeShape(data, "A");
  const list = join(folder, "files.txt");
  const lines = shape.files.map((path) => `${Deno.statSync(path).size} ${path}`);
  const bytes = shape.files.reduce((sum, path) => sum + Deno.statSync(path).size, 0);
  await Deno.writeTextFile(list, lines.join("\n"));
  for (const times of [1, 4, 16, 33]) {
    const plan = { ...shape.plan, expectedRows: shape.plan.expectedRows * times };
    const cost = await inProcess(
      "./merge/ours.ts",
      JSON.stringify({ list, output: "/dev/null", plan, times }),
    );
    const line = {
      input_mb: Math.round(bytes * times / 1e6),
      peak_mb: Math.round(cost.peakMb),
      cpu_ms: Math.round(cost.cpuMs),
    };
    if (options.json) console.log(JSON.stringify(line));
    else {
      console.log(`${line.input_mb} MB in: peak ${line.peak_mb} MB, ${line.cpu_ms} ms of CPU`);
    }
  }
}

const folder = await Deno.makeTempDir({ prefix: "sediment-bench-" });
let failed = false;
try {
  const data = options.data ?? join(folder, "data");
  if (options.memory) {
    await memoryCurve(data, folder);
  } else if (!options.json) {
    console.log(
      "shape  ours ms  duckdb ms  ratio   must   aim  peak MB  size   scan   equal  what",
    );
  }
  for (const name of options.memory ? [] : options.shape ?? shapeNames) {
    const shape = await makeShape(data, name);
    const line = await bench(shape, folder, Number(options.runs));
    failed ||= !line.equal;
    if (options.json) console.log(JSON.stringify(line));
    else {
      console.log([
        name.padEnd(5),
        String(line.ours_cpu_ms).padStart(8),
        String(line.duckdb_cpu_ms).padStart(10),
        line.ratio.toFixed(3).padStart(6),
        shape.must.toFixed(2).padStart(6),
        shape.aim.toFixed(2).padStart(5),
        String(line.peak_mb).padStart(8),
        line.size_ratio.toFixed(3).padStart(6),
        line.scan_ratio.toFixed(3).padStart(6),
        String(line.equal).padStart(6),
        ` ${shape.what}`,
      ].join(" "));
      for (const [name, peer] of Object.entries(line.peers ?? {})) {
        console.log(
          `      ${name}: ${peer.cpu_ms} ms, ${peer.ratio.toFixed(3)} of native DuckDB, peak ` +
            `${peer.peak_mb} MB, ${peer.equal ? "the same rows" : "other rows"}`,
        );
      }
    }
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
if (failed) Deno.exit(1);
