/**
 * One merge by us in a process of its own under V8's sampling profiler; prints where its time went as JSON. Argument: a Job
 * as JSON.
 */
import { Session } from "node:inspector";
import process from "node:process";
import { merge } from "../../../shared/parquet/merge/merge.ts";
import { fileReader } from "./file_reader.ts";
import { snappyFloor } from "./floor.ts";
import { type Job, listedFiles } from "./job.ts";
import { nameKernels } from "./named_kernels.ts";
import { partOf } from "./profile_parts.ts";

/** Of V8's profile what is read here; see the DevTools protocol, Profiler.Profile. */
interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
}

/** What a profiled merge tells. */
export interface ProfileResult {
  /** Of all threads, in ms: those that compile and collect, too. */
  cpuMs: number;
  /** Of the thread that merges, in hundredths of its samples: they are of equal time, however busy the machine is. */
  parts: Record<string, number>;
  /** The same by function, the dearest first. */
  functions: [string, number][];
  /** Ms of decompressing what came in and compressing what went out, by snappy alone, warm. */
  floorMs: number;
}

await nameKernels();
const job: Job = JSON.parse(Deno.args[0]);
const files = listedFiles(job.list);
const readers = new Map(files.map(({ path, size }, i) => [String(i), fileReader(path, size)]));
const inputs = files.map(({ path }, i) => ({
  id: String(i),
  level: job.level ?? (path.includes("healthy") ? 1 : 0),
}));
const session = new Session();
session.connect();
const post = (method: string, parameters: object = {}): Promise<{ profile: Profile }> =>
  new Promise((resolve, reject) =>
    session.post(
      method,
      parameters,
      (error: Error | null, result: unknown) =>
        error ? reject(error) : resolve(result as { profile: Profile }),
    )
  );
await post("Profiler.enable");
await post("Profiler.setSamplingInterval", { interval: 100 });
const output = Deno.openSync(job.output, { write: true, create: true, truncate: true });
await post("Profiler.start");
const before = process.cpuUsage();
const { rejected } = await merge({ inputs, ...job.plan }, readers, {
  write(chunk) {
    let done = 0;
    while (done < chunk.length) done += output.writeSync(chunk.subarray(done));
    return Promise.resolve();
  },
});
const { user, system } = process.cpuUsage(before);
const { profile } = await post("Profiler.stop");
output.close();
if (rejected.length > 0) throw rejected[0].error;

const parts = new Map<string, number>();
const functions = new Map<string, number>();
const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
const count = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
for (const id of profile.samples) {
  const { functionName, url } = frames.get(id)!;
  const part = partOf(functionName, url);
  if (part === undefined) continue;
  count(parts, part);
  count(functions, `${functionName} ${url.split("/").slice(-2).join("/")}`.trim());
}
const samples = parts.values().reduce((sum, n) => sum + n, 0);
const shares = (map: Map<string, number>) =>
  [...map].sort((a, b) => b[1] - a[1])
    .map(([name, n]): [string, number] => [name, Number((100 * n / samples).toFixed(1))]);
const result: ProfileResult = {
  cpuMs: (user + system) / 1000,
  parts: Object.fromEntries(shares(parts)),
  functions: shares(functions).slice(0, 30),
  floorMs: await snappyFloor(files.map(({ path }) => path), job.output),
};
console.log(JSON.stringify(result));
