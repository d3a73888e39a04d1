import { join } from "node:path";
import { mergeCost } from "../../../shared/compaction/plan/merge_cost.ts";
import { makePoints, workOf } from "./points.ts";
import { inProcess, listOf } from "./process.ts";

/** Files of one row group, and one of seven: of a merge, healthy. */
const wanted = /^(raw 1|texts \d+k 1|digests 250k 1|long 15k 1|few 500k 1|columns \d+k 1)$/;

/** Uploads whose rows take turns, so that each row group holds some of the one that is left out. */
const filter = { uploads: 20, run: 500 };

/** Leaves an upload's rows out of files, beside what the planner expects; prints a line each. */
export async function filterCosts(data: string, folder: string, runs: number): Promise<void> {
  for (const { name, files, job } of await makePoints(data, wanted)) {
    const list = join(folder, "files.txt");
    await Deno.writeTextFile(list, listOf(files));
    const cpuMs: number[] = [], peakMb: number[] = [];
    for (let run = 0; run < runs; run++) {
      const argument = JSON.stringify({ list, output: "/dev/null", ...job, level: 1, filter });
      const cost = await inProcess("./ours.ts", argument);
      cpuMs.push(cost.cpuMs);
      peakMb.push(cost.peakMb);
    }
    // rows of as many uploads as row groups may be in each of these
    const everywhere = Array.from({ length: 10 }, (_, seq) => seq);
    const expected = mergeCost(await workOf(files, { ...job, level: 1 }, everywhere));
    console.log(
      `${name.padEnd(16)} ${Math.min(...cpuMs).toFixed(0)} ms, predicted ${
        expected.cpuMs.toFixed(0)
      }; ${Math.max(...peakMb).toFixed(0)} MB, predicted ${expected.memoryMb.toFixed(0)}`,
    );
  }
}
