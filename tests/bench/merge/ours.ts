/** One merge by us in a process of its own; prints its cost as JSON. Argument: a Job as JSON, none for no merge. */
import { assumeHostLimits } from "../../support/host_limits.ts";
import { merge } from "../../../shared/parquet/merge/merge.ts";
import type { RangeReader } from "../../../shared/parquet/format/range_reader.ts";
import { fileReader } from "./file_reader.ts";
import { type Job, listedFiles } from "./job.ts";
import { RowOrigins } from "../../../shared/parquet/write/row_origins.ts";
import { measured } from "./measure.ts";

if (Deno.args[0] === "") {
  console.log(JSON.stringify((await measured(() => Promise.resolve())).cost));
  Deno.exit();
}
const job: Job = JSON.parse(Deno.args[0]);
const files = listedFiles(job.list);
if (job.host !== undefined) assumeHostLimits(job.host);
/** Made when they are asked for: the curve is that of the merge, not of thousands of readers. */
class Readers extends Map<string, RangeReader> {
  override has = () => true;
  override get(id: string): RangeReader {
    const { path, size } = files[Number(id) % files.length];
    return fileReader(path, size);
  }
}
const inputs = Array.from(
  { length: files.length * (job.times ?? 1) },
  // outputs of an earlier merge, as shapes.ts makes them, have a level
  (_, i) => ({
    id: String(i),
    level: job.level ?? (files[i % files.length].path.includes("healthy") ? 1 : 0),
    ...(job.filter && { origins: originsOf(job.filter) }),
  }),
);
const output = Deno.openSync(job.output, { write: true, create: true, truncate: true });
const { result, cost } = await measured(() =>
  merge({ inputs, ...job.plan, ...(job.filter && { drop: new Set([0]) }) }, new Readers(), {
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

function originsOf({ uploads, run }: NonNullable<Job["filter"]>): RowOrigins {
  const origins = new RowOrigins();
  const { expectedRows } = job.plan;
  for (let at = 0; at < expectedRows; at += run) {
    origins.add(at / run % uploads, Math.min(run, expectedRows - at));
  }
  return origins;
}
