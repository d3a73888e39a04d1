import { join } from "node:path";
import { costCoefficients } from "../../../shared/compaction/plan/cost_coefficients.ts";
import { costFactors } from "../../../shared/compaction/plan/cost_factors.ts";
import { type Equation, fit, predicted } from "./fit_costs.ts";
import { median } from "../median.ts";
import { makePoints, type Point } from "./points.ts";
import { inProcess, listOf } from "./process.ts";

const target = new URL("../../../shared/compaction/plan/cost_coefficients.ts", import.meta.url);

/** A point with what each of its runs took. */
interface Measured extends Point {
  cpuMs: number[];
  peakMb: number[];
}

/** Measures every point, fits the coefficients and writes `cost_coefficients.ts`; prints each point's error. */
export async function fitCoefficients(data: string, folder: string, runs: number): Promise<void> {
  const points = await measurePoints(data, folder, runs);
  const cpu = fitCpu(points), memory = fitMemory(points);
  const lines = Object.entries({ ...cpu.coefficients, ...memory.coefficients })
    .map(([name, value]) => `  ${name}: ${value.toPrecision(4)},`);
  await Deno.writeTextFile(
    target,
    `/**
 * Made by \`deno task bench merge --fit\` on ${
      new Date().toISOString().slice(0, 10)
    }: ${navigator.hardwareConcurrency} × ${await processor()}, Deno ${Deno.version.deno},
 * ${points.length} merges at a load of ${Deno.loadavg()[0].toFixed(0)}. ${cpu.errors}
 * ${memory.errors} Do not edit.
 */
export const costCoefficients = {
${lines.join("\n")}
};
`,
  );
}

/** Measures the points of a name, and prints what the coefficients that there are predict of them; writes nothing. */
export async function comparePoints(
  data: string,
  folder: string,
  runs: number,
  wanted: RegExp,
): Promise<void> {
  const points = await measurePoints(data, folder, runs, wanted);
  for (const [what, of, factor] of measures) {
    console.log(
      tell(what, points, points.map((one) => equation(one, of, factor)), costCoefficients),
    );
  }
}

async function measurePoints(data: string, folder: string, runs: number, wanted?: RegExp) {
  const points: Measured[] = (await makePoints(data, wanted))
    .map((point) => ({ ...point, cpuMs: [], peakMb: [] }));
  // run by run over all points, so that a busy minute falls on all of them
  for (let run = 0; run < runs; run++) {
    for (const { files, job, cpuMs, peakMb } of points) {
      const list = join(folder, "files.txt");
      await Deno.writeTextFile(list, listOf(files));
      const cost = await inProcess(
        "./ours.ts",
        JSON.stringify({ list, output: "/dev/null", ...job }),
      );
      cpuMs.push(cost.cpuMs);
      peakMb.push(cost.peakMb);
    }
  }
  return points;
}

/** Of CPU the run counts that others on the machine disturbed the least, of memory the one that took the most. */
const leastCpu = ({ cpuMs }: Measured) => Math.min(...cpuMs);
const mostMemory = ({ peakMb }: Measured) => Math.max(...peakMb);

const measures = [["CPU", leastCpu, "cpu"], ["Peak memory", mostMemory, "memory"]] as const;

function equation(
  point: Measured,
  measured: (point: Measured) => number,
  factors: "cpu" | "memory",
): Equation {
  return { factors: costFactors(point.work)[factors], measured: measured(point) };
}

function fitCpu(points: Measured[]) {
  const equations = points.map((point) => equation(point, leastCpu, "cpu"));
  // values alone are cheap, and in all other points they come with bytes: what a file of nulls costs is set apart
  const [few, many] = points.filter(({ name }) => name.startsWith("nulls"));
  const valueMs = (leastCpu(many) - leastCpu(few)) /
    (many.work.paths.pages.values - few.work.paths.pages.values);
  const coefficients = fit(equations, { atLeast: { valueMs: Math.max(0, valueMs) } });
  return { coefficients, errors: tell("CPU", points, equations, coefficients) };
}

/** Never below what was measured: plans are cut by the prediction, and a turn that takes more than it was given is killed. */
function fitMemory(points: Measured[]) {
  const equations = points.map((point) => equation(point, mostMemory, "memory"));
  const coefficients = fit(equations, { underWeight: 50 });
  coefficients.fixedMb += Math.max(
    0,
    ...equations.map((one) => one.measured - predicted(one, coefficients)),
  );
  return { coefficients, errors: tell("Peak memory", points, equations, coefficients) };
}

/** Prints each point's error, and gives how far off the predictions are as a sentence. */
function tell(
  what: string,
  points: Measured[],
  equations: Equation[],
  coefficients: Readonly<Record<string, number>>,
): string {
  const errors = equations.map((one, i) => {
    const expected = predicted(one, coefficients);
    const error = expected / one.measured - 1;
    console.log(
      `${what.padEnd(11)} ${points[i].name.padEnd(12)} ${one.measured.toFixed(0).padStart(6)} ` +
        `predicted ${expected.toFixed(0).padStart(6)}  ${(100 * error).toFixed(0).padStart(4)} %`,
    );
    return error;
  });
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  return `${what} is predicted ${percent(median(errors))} off in the median, from ` +
    `${percent(Math.min(...errors))} to ${percent(Math.max(...errors))}.`;
}

async function processor(): Promise<string> {
  const text = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  return /^model name\s*:\s*(.*)$/m.exec(text)?.[1] ?? Deno.build.arch;
}
