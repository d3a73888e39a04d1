/** One merge by us in a process of its own; prints its cost as JSON. Argument: a Job as JSON. */
import { merge } from "../../../shared/parquet/merge.ts";
import { fileReader } from "./file_reader.ts";
import { type Job, listedFiles } from "./job.ts";
import { measured } from "./measure.ts";

const job: Job = JSON.parse(Deno.args[0]);
const files = listedFiles(job.list);
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
