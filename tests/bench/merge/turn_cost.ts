import { join, relative } from "node:path";
import { outputCost } from "../../../shared/compaction/plan/merge_cost.ts";
import type { MergePlan } from "../../../shared/parquet/merge/merge_plan.ts";
import { makePoints } from "./points.ts";
import { inProcess } from "./process.ts";

/** What a process of {@link turnCosts} is to merge. */
export interface TurnJob {
  url: string;
  files: { key: string; size: number; rows: number; level: number }[];
  plan: Omit<MergePlan, "inputs">;
}

/** A merge as a turn makes it, and what the planner expects of it. */
export interface TurnLine {
  turn: string;
  cpu_ms: number;
  predicted_cpu_ms: number;
  peak_mb: number;
  predicted_mb: number;
}

/** CPU and memory of outputs whose inputs come over HTTP, and that are held and put: more than those of the merge. */
export async function* turnCosts(
  data: string,
  folder: string,
  runs: number,
): AsyncGenerator<TurnLine> {
  const server = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-lock",
      "--no-config",
      decodeURIComponent(new URL("./serve_files.ts", import.meta.url).pathname),
      data,
    ],
    stdout: "piped",
  }).spawn();
  try {
    const { value } = await server.stdout.getReader().read();
    const url = `http://127.0.0.1:${new TextDecoder().decode(value).trim()}`;
    for (const { name, files, job, work } of await makePoints(data)) {
      // an output of a run that is left to others: full grown, or of a host that this one is not
      if (work.bytes > 70e6 || job.host !== undefined) continue;
      const turn: TurnJob = {
        url,
        files: files.map((path) => ({
          key: relative(data, path),
          size: Deno.statSync(path).size,
          rows: job.plan.expectedRows / files.length,
          level: job.level ?? (path.includes("healthy") ? 1 : 0),
        })),
        plan: job.plan,
      };
      const path = join(folder, "turn.json");
      await Deno.writeTextFile(path, JSON.stringify(turn));
      const costs = [];
      for (let run = 0; run < runs; run++) costs.push(await inProcess("./turn_output.ts", path));
      const expected = outputCost(work, false);
      yield {
        turn: name,
        cpu_ms: Math.round(Math.min(...costs.map(({ cpuMs }) => cpuMs))),
        predicted_cpu_ms: Math.round(expected.cpuMs),
        peak_mb: Math.round(Math.max(...costs.map(({ peakMb }) => peakMb))),
        predicted_mb: Math.round(expected.memoryMb),
      };
    }
  } finally {
    server.kill();
    await server.status;
  }
}
