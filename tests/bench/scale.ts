/**
 * `deno task bench scale [--size small|full] [--partitions N] [--only calls|settle] [--json]`: the service at the size of
 * its users. First the calls over a catalog and over one ten times as large (small: 2,000 and 20,000 partitions; full:
 * 300,000 and 3,000,000). Then partitions of four small files, uploaded through the functions, until the clockwork of the
 * running stack has merged them all, and what it does when there is nothing left to do.
 *
 * With --json a line a call and a last one of the settling.
 */
import { parseArgs } from "node:util";
import { callCosts } from "./scale/calls.ts";
import { settle } from "./scale/settle.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    size: { type: "string", default: "small" },
    partitions: { type: "string", default: "20000" },
    only: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

if (options.only !== "settle") {
  const full = options.size === "full";
  for (const line of await callCosts(full ? 30_000 : 200, full ? 20 : 40)) {
    console.log(
      options.json
        ? JSON.stringify(line)
        : `${
          line.call.padEnd(40)
        } p50 ${line.p50_ms} ms, p95 ${line.p95_ms} ms, × ${line.at_x10} at ten times the size`,
    );
  }
}
if (options.only !== "calls") {
  const settled = await settle(Number(options.partitions), (text) => {
    if (!options.json) console.error(text);
  });
  console.log(options.json ? JSON.stringify(settled) : settled);
}
