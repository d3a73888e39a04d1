import { join } from "node:path";
import { type Equation, fit } from "./fit_costs.ts";
import { median } from "./measure.ts";
import { factorsOf, makePoints } from "./points.ts";
import { inProcess, listOf } from "./process.ts";

const target = new URL("../../../shared/compaction/cost_coefficients.ts", import.meta.url);

/** Measures every point, fits the coefficients and writes `cost_coefficients.ts`; prints each point's error. */
export async function fitCoefficients(data: string, folder: string, runs: number): Promise<void> {
  const points = await makePoints(data);
  const cpu: number[][] = points.map(() => []), peak: number[][] = points.map(() => []);
  // run by run over all points, so that a busy minute falls on all of them
  for (let run = 0; run < runs; run++) {
    for (const [i, { files, plan }] of points.entries()) {
      const list = join(folder, "files.txt");
      await Deno.writeTextFile(list, listOf(files));
      const job = JSON.stringify({ list, output: "/dev/null", plan });
      const cost = await inProcess("./ours.ts", job);
      cpu[i].push(cost.cpuMs);
      peak[i].push(cost.peakMb);
    }
  }
  const factors = points.map(({ work }) => factorsOf(work));
  // values alone are cheap, and in all other points they come with bytes: what a file of nulls costs is set apart
  const nulls = points.flatMap(({ name, work }, i) =>
    name.startsWith("nulls") ? [{ ms: least(cpu[i]), values: work.values }] : []
  );
  const valueMs = (nulls[1].ms - nulls[0].ms) / (nulls[1].values - nulls[0].values);
  const names = points.map(({ name }) => name);
  const found = [
    solve("CPU", names, factors.map((f) => f.cpu), cpu.map(least), { valueMs }),
    solve("peak", names, factors.map((f) => f.memory), peak.map(median)),
  ];
  const lines = found.flatMap(({ coefficients }) =>
    Object.entries(coefficients).map(([name, value]) => `  ${name}: ${value.toPrecision(4)},`)
  );
  const [cpuError, peakError] = found.map(({ error }) => error);
  await Deno.writeTextFile(
    target,
    `/**
 * Made by \`deno task bench merge --fit\` on ${
      new Date().toISOString().slice(0, 10)
    }: ${navigator.hardwareConcurrency} × ${await processor()}, Deno ${Deno.version.deno},
 * ${points.length} merges. CPU is off by ${cpuError}, peak memory by ${peakError}. Do not edit.
 */
export const costCoefficients = {
${lines.join("\n")}
};
`,
  );
}

/** The run that others on the machine disturbed the least. */
const least = (runs: number[]) => Math.min(...runs);

function solve(
  what: string,
  names: string[],
  factors: Record<string, number>[],
  measured: number[],
  atLeast: Record<string, number> = {},
): { coefficients: Record<string, number>; error: string } {
  const equations: Equation[] = factors.map((one, i) => ({ factors: one, measured: measured[i] }));
  const coefficients = fit(equations, atLeast);
  const errors = equations.map(({ factors, measured }, i) => {
    const predicted = Object.entries(factors)
      .reduce((sum, [name, times]) => sum + coefficients[name] * times, 0);
    const error = predicted / measured - 1;
    console.log(
      `${what.padEnd(5)} ${names[i].padEnd(12)} ${measured.toFixed(0).padStart(6)} predicted ` +
        `${predicted.toFixed(0).padStart(6)}  ${(100 * error).toFixed(0).padStart(4)} %`,
    );
    return Math.abs(error);
  });
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const error = `${percent(median(errors))} in the median and ${
    percent(Math.max(...errors))
  } at most`;
  return { coefficients, error };
}

async function processor(): Promise<string> {
  const text = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  return /^model name\s*:\s*(.*)$/m.exec(text)?.[1] ?? Deno.build.arch;
}
