import { join } from "node:path";
import { inProcess, listOf } from "./process.ts";
import { makeShape } from "./shapes.ts";

/** A size of input, what it took at the most, and its CPU. */
export interface CurvePoint {
  input_mb: number;
  peak_mb: number;
  cpu_ms: number;
}

/** Peak memory and CPU by the size of the input, which is shape A over and over. */
export async function* memoryCurve(data: string, folder: string): AsyncGenerator<CurvePoint> {
  const shape = await makeShape(data, "A");
  const list = join(folder, "files.txt");
  const bytes = shape.files.reduce((sum, path) => sum + Deno.statSync(path).size, 0);
  await Deno.writeTextFile(list, listOf(shape.files));
  for (const times of [1, 4, 16, 34]) {
    const plan = { ...shape.plan, expectedRows: shape.plan.expectedRows * times };
    const cost = await inProcess(
      "./ours.ts",
      JSON.stringify({ list, output: "/dev/null", plan, times }),
    );
    yield {
      input_mb: Math.round(bytes * times / 1e6),
      peak_mb: Math.round(cost.peakMb),
      cpu_ms: Math.round(cost.cpuMs),
    };
  }
}
