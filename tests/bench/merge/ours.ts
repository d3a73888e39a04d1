/** One merge by us in a process of its own; prints its cost as JSON. Argument: a {@link Job} as JSON. */
import { merge } from "../../../shared/parquet/merge.ts";
import type { MergePlan } from "../../../shared/parquet/merge_plan.ts";
import { fileReader } from "./file_reader.ts";
import { measured } from "./measure.ts";

/** What to merge. */
export interface Job {
  /** A file that holds the paths, line by line, with their sizes before them. */
  list: string;
  output: string;
  plan: Omit<MergePlan, "inputs">;
}

const job: Job = JSON.parse(Deno.args[0]);
const files = Deno.readTextFileSync(job.list).trim().split("\n").map((line) => {
  const space = line.indexOf(" ");
  return { size: Number(line.slice(0, space)), path: line.slice(space + 1) };
});
const readers = new Map(files.map(({ path, size }) => [path, fileReader(path, size)]));
const inputs = files.map(({ path }) => ({ id: path, level: 0 }));
const output = Deno.openSync(job.output, { write: true, create: true, truncate: true });
const { result, cost } = await measured(() =>
  merge({ inputs, ...job.plan }, readers, {
    write(chunk) {
      let done = 0;
      while (done < chunk.length) done += output.writeSync(chunk.subarray(done));
      return Promise.resolve();
    },
  })
);
output.close();
if (result.rejected.length > 0) throw result.rejected[0].error;
console.log(JSON.stringify({ ...cost, rows: result.rowCount, groups: result.rowGroupCount }));
