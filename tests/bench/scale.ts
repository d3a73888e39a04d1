/**
 * `deno task bench scale [--size small|full] [--partitions N] [--only calls|bytes|wide|settle|steady] [--at DIR] [--json]`: the
 * service at the size of its users. First the calls over a catalog and over one ten times as large (small: 2,000 and 20,000
 * partitions; full: 300,000 and 3,000,000), by the clock and in CPU of the database's. Then what uploads take in the database,
 * table by table. Then 50,000 tiny fragments of one partition, merged by one worker and the successors that it asks for. Then
 * partitions of four small files, uploaded through the functions, until the clockwork of the running stack has merged them all,
 * and what it does when there is nothing left to do.
 *
 * --only steady [--steps 10]: what 10 million uploads a day bring in six seconds, and what merges and forgets as much, again
 * and again over the larger catalog, which is another one afterwards.
 * --at keeps the larger catalog in a folder, for another run or `bench console`: filling the full one takes its time.
 * With --json a line a call, one of the bytes, one of the fragments, and a last one of the settling.
 */
import { parseArgs } from "node:util";
import { catalogBytes } from "./scale/bytes.ts";
import { callCosts } from "./scale/calls.ts";
import { datasetsOf, openCatalog } from "./scale/catalog.ts";
import { settle } from "./scale/settle.ts";
import { steady } from "./scale/steady.ts";
import { wideOpen } from "./scale/wide_open.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    size: { type: "string", default: "small" },
    partitions: { type: "string", default: "20000" },
    fragments: { type: "string", default: "50000" },
    only: { type: "string" },
    at: { type: "string" },
    steps: { type: "string", default: "10" },
    json: { type: "boolean", default: false },
  },
});

const tell = (text: string) => {
  if (!options.json) console.error(text);
};
if (options.only === undefined || options.only === "calls") {
  const times = options.size === "full" ? 20 : 40;
  for (const line of await callCosts(datasetsOf(options.size), times, options.at, tell)) {
    console.log(
      options.json
        ? JSON.stringify(line)
        : `${
          line.call.padEnd(40)
        } p50 ${line.p50_ms} ms, p95 ${line.p95_ms} ms, CPU ${line.cpu_ms} ms, × ${line.at_x10} at ten times the size`,
    );
  }
}
const bytes = options.only === undefined || options.only === "bytes" || options.only === "settle"
  ? await catalogBytes(200)
  : undefined;
if (bytes !== undefined && options.only !== "settle") {
  console.log(options.json ? JSON.stringify(bytes) : bytes);
}
if (options.only === "steady") {
  const datasets = datasetsOf(options.size);
  await using catalog = await openCatalog(datasets, options.at, tell);
  await steady(catalog.url, datasets, Number(options.steps), 6, (step) => {
    console.log(options.json ? JSON.stringify(step) : step);
  });
}
if (options.only === undefined || options.only === "wide") {
  const wide = await wideOpen(Number(options.fragments), tell);
  console.log(options.json ? JSON.stringify(wide) : wide);
}
if (options.only === undefined || options.only === "settle") {
  const settled = {
    ...await settle(Number(options.partitions), tell),
    bytes_per_upload_1: bytes!.bytes_per_upload_1.all,
    bytes_per_upload_12: bytes!.bytes_per_upload_12.all,
  };
  console.log(options.json ? JSON.stringify(settled) : settled);
}
