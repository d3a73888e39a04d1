import { join } from "node:path";
import { median } from "../median.ts";
import type { ProfileResult } from "./profile.ts";
import { inProcess, listOf } from "./process.ts";
import type { Shape } from "./shapes.ts";

/** Profiles of a shape, of which the parts' medians count. */
const runs = 5;

/** Where the time of a merge goes. */
export async function profileShape(shape: Shape, folder: string): Promise<ProfileResult> {
  const list = join(folder, "files.txt");
  const output = join(folder, "profiled.parquet");
  await Deno.writeTextFile(list, listOf(shape.files));
  const job = JSON.stringify({ list, output, plan: shape.plan });
  const all: ProfileResult[] = [];
  for (let run = 0; run < runs; run++) {
    all.push(await inProcess<ProfileResult>("./profile.ts", job));
  }
  await Deno.remove(output);
  const rounded = (of: (one: ProfileResult) => number) => Number(median(all.map(of)).toFixed(1));
  const parts = new Set(all.flatMap((one) => Object.keys(one.parts)));
  return {
    cpuMs: rounded(({ cpuMs }) => cpuMs),
    floorMs: rounded(({ floorMs }) => floorMs),
    parts: Object.fromEntries(
      [...parts].map((part): [string, number] => [part, rounded((one) => one.parts[part] ?? 0)])
        .sort((a, b) => b[1] - a[1]),
    ),
    functions: all.at(-1)!.functions,
  };
}

/** The profile as text. */
export function tellProfile(
  name: string,
  cpuMs: number,
  floorMs: number,
  parts: Readonly<Record<string, number>>,
): string {
  const told = Object.entries(parts).map(([part, percent]) => `${part} ${percent} %`).join(", ");
  return `${name}: ${cpuMs} ms of CPU under the profiler, snappy alone ${floorMs} ms\n      ${told}`;
}
