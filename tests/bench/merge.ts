/**
 * `deno task bench merge [--json] [--shape A | --shapes extra] [--runs 5] [--peers] [--data DIR]`: the merge core beside native
 * DuckDB with one thread. Each run is a cold process; the two take turns; medians. DuckDB's start-up is left out, the
 * instantiation of our kernels is not. The planner's prediction is of merges that write to no disk, and is held to such.
 * Peak is the largest resident set of the whole process in MB (10^6 bytes), Deno's own, printed as the baseline, included.
 * With --data the inputs are kept there for the next time.
 *
 * Instead of the table: --memory prints the peak by the size of the input, up to 1.25 GB; --growth what ten times
 * the fragments and ten times the rows cost; --fit measures and writes the planner's coefficients
 * (shared/compaction/plan/cost_coefficients.ts), with --points PATTERN it measures those of such names and writes nothing;
 * --turn the same merges with inputs that come over HTTP and an output that is held and put, beside what the planner
 * expects; --filter what it costs to leave the rows of an upload out of one file;
 * --profile where the time of one merge goes, beside what snappy alone takes for the same bytes.
 *
 * --peers lets others that run in an isolate merge the same files in the same turns; sorting and left out rows are not
 * asked of them.
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { benchShape, type Line } from "./merge/bench_shape.ts";
import { comparePoints, fitCoefficients } from "./merge/fit.ts";
import { filterCosts } from "./merge/filter_costs.ts";
import { growth } from "./merge/growth.ts";
import { memoryCurve } from "./merge/memory_curve.ts";
import { inProcess } from "./merge/process.ts";
import { extraNames } from "./merge/extra_shapes.ts";
import { profileShape, tellProfile } from "./merge/profile_shape.ts";
import { makeShape, type Shape, shapeNames } from "./merge/shapes.ts";
import { turnCosts } from "./merge/turn_cost.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    json: { type: "boolean", default: false },
    shape: { type: "string", multiple: true },
    shapes: { type: "string" },
    runs: { type: "string", default: "5" },
    data: { type: "string" },
    memory: { type: "boolean", default: false },
    growth: { type: "boolean", default: false },
    fit: { type: "boolean", default: false },
    points: { type: "string" },
    turn: { type: "boolean", default: false },
    filter: { type: "boolean", default: false },
    peers: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
  },
});

const runs = Number(options.runs);

/** Prints a result as JSON, or as the text. */
function print(line: object, text: string): void {
  console.log(options.json ? JSON.stringify(line) : text);
}

function printLine(line: Line, shape: Shape): void {
  const error = (predicted: number, measured: number) =>
    `${Math.round(100 * (predicted / measured - 1))} %`.padStart(6);
  print(
    line,
    [
      line.shape.padEnd(5),
      String(line.ours_cpu_ms).padStart(8),
      String(line.duckdb_cpu_ms).padStart(10),
      line.ratio.toFixed(3).padStart(6),
      shape.must.toFixed(2).padStart(6),
      shape.aim.toFixed(2).padStart(5),
      String(line.peak_mb).padStart(8),
      line.size_ratio.toFixed(3).padStart(6),
      `${line.scan_ratio.toFixed(3)}±${line.scan_error.toFixed(3).slice(1)}`.padStart(10),
      String(line.equal).padStart(6),
      String(line.predicted_cpu_ms).padStart(7),
      error(line.predicted_cpu_ms, line.unwritten_cpu_ms),
      String(line.predicted_mb).padStart(7),
      error(line.predicted_mb, line.peak_mb),
      ` ${shape.what}`,
    ].join(" "),
  );
  if (options.json) return;
  for (const [name, peer] of Object.entries(line.peers ?? {})) {
    if ("failed" in peer) {
      console.log(`      ${name} failed: ${peer.failed}`);
      continue;
    }
    console.log(
      `      ${name}: ${peer.cpu_ms} ms, ${peer.ratio.toFixed(3)} of native DuckDB, peak ` +
        `${peer.peak_mb} MB, ${peer.equal ? "the same rows" : "other rows"}`,
    );
  }
}

/** Names of the shapes that are asked for. */
const names = options.shape ?? (options.shapes === "extra" ? extraNames : shapeNames);

const folder = await Deno.makeTempDir({ prefix: "sediment-bench-" });
let failed = false;
try {
  const data = options.data ?? join(folder, "data");
  if (options.memory) {
    for await (const point of memoryCurve(data, folder)) {
      const { input_mb, peak_mb, cpu_ms } = point;
      print(point, `${input_mb} MB in: peak ${peak_mb} MB, ${cpu_ms} ms of CPU`);
    }
  }
  if (options.growth) {
    for await (const line of growth(data, folder, runs)) {
      const { from_ms, to_ms, times, must } = line;
      print(line, `${line.growth}: ${from_ms} → ${to_ms} ms, ${times} × (must be ${must})`);
    }
  }
  if (options.fit && options.points !== undefined) {
    await comparePoints(data, folder, runs, new RegExp(options.points));
  } else if (options.fit) await fitCoefficients(data, folder, runs);
  if (options.filter) await filterCosts(data, folder, runs);
  if (options.turn) {
    for await (const line of turnCosts(data, folder, runs)) {
      print(
        line,
        `${line.turn.padEnd(18)} ${line.cpu_ms} ms of CPU, predicted ${line.predicted_cpu_ms}; ` +
          `peak ${line.peak_mb} MB, predicted ${line.predicted_mb}`,
      );
    }
  }
  if (options.profile) {
    for (const name of names) {
      const shape = await makeShape(data, name);
      const { cpuMs, floorMs, parts, functions } = await profileShape(shape, folder);
      print(
        { profile: name, cpuMs, floorMs, parts, functions },
        tellProfile(name, cpuMs, floorMs, parts),
      );
    }
  }
  const { memory, growth: grows, fit, turn, filter, profile } = options;
  if (!(memory || grows || fit || turn || filter || profile)) {
    const { peakMb } = await inProcess("./ours.ts", "");
    print(
      { baseline_mb: Math.round(peakMb) },
      `A process that merges nothing: ${peakMb.toFixed(0)} MB`,
    );
    if (!options.json) {
      console.log(
        "shape  ours ms  duckdb ms  ratio   must   aim  peak MB  size       scan  equal  pred.ms  error  pred.MB  error what",
      );
    }
    for (const name of names) {
      const shape = await makeShape(data, name);
      const line = await benchShape(shape, folder, runs, options.peers);
      failed ||= !line.equal;
      printLine(line, shape);
    }
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
if (failed) Deno.exit(1);
