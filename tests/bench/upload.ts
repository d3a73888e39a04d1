/**
 * `deno task bench upload [--catalog postgres,postgrest] [--uploads N] [--tables N] [--soak N] [--beside DIR] [--json]`: one-request
 * uploads of 60 KB a second, beside a plain PUT of the same bytes to the Storage endpoint of the same stack, at several
 * concurrencies, in turns; medians over the turns. All of it over both ways from the functions to the catalog. Where
 * the time goes comes from the answers' Server-Timing, and the CPU of each process of the stack from /proc. The stack
 * is a process of its own; client and stack share the cores. `--soak N` makes N uploads more, 16 at once, and prints
 * the stack's memory after each tenth of them. The function's own CPU for 12 tables in one body is measured over
 * `--tables N` uploads, in this process: upload/twelve_tables.ts says what is in it.
 *
 * `--beside DIR` measures this tree by another, a checkout of an older commit with its node_modules: uploads to the
 * stacks of both in turns, and a line a case with the medians of the rounds' ratios (upload/beside.ts). It needs /proc.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { CatalogWay } from "../../supabase/local/stack.ts";
import { cpuOfTree, spentEach } from "./process_cpu.ts";
import { type Address, withStack } from "./upload/bench_stack.ts";
import { besideText, uploadBeside } from "./upload/beside.ts";
import { fileBytes } from "./upload/bodies.ts";
import { caseLine, stackMegabytes, type Total } from "./upload/report.ts";
import { createSender, load } from "./upload/sender.ts";
import { twelveTables } from "./upload/twelve_tables.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    /** Uploads a case; a quarter of them where one goes after the other. */
    uploads: { type: "string", default: "4800" },
    concurrency: { type: "string", default: "1,16,64" },
    /** The functions' ways to the catalog, each with a stack of its own. */
    catalog: { type: "string", default: "postgres,postgrest" },
    /** Uploads of 12 tables, in process. */
    tables: { type: "string", default: "1000" },
    /** Uploads after the cases, for the memory curve. */
    soak: { type: "string", default: "0" },
    /** A checkout of another commit, to measure this one by. */
    beside: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const uploads = Number(values.uploads);
const tables = Number(values.tables);
const soak = Number(values.soak);
const onLinux = Deno.build.os === "linux";
/** Uploads and PUTs take turns, so that a busy machine is busy for both. */
const rounds = 16;
const catalogs = values.catalog.split(",") as CatalogWay[];
const heading =
  "   catalog  at once   uploads/s      PUT/s   ratio    p50 ms    p99 ms   MB   where the time goes (ms)";
const concurrencies = values.concurrency.split(",").map(Number);

if (values.beside !== undefined) {
  const dir = resolve(values.beside);
  for (const catalog of catalogs) {
    await uploadBeside({
      ...{ dir, catalog, concurrencies, uploads },
      report: (line) => console.log(values.json ? JSON.stringify(line) : besideText(line)),
    });
  }
  Deno.exit(0);
}

// Before the stack runs: what it leaves to do in the background would be in the way.
if (tables > 0) {
  const line = await twelveTables(tables);
  if (values.json) console.log(JSON.stringify(line));
  else {
    console.log(
      `12 tables in ${line.bytes} bytes: ${line.cpu_p50_ms} ms of CPU an upload in the function ` +
        `(p99 ${line.cpu_p99_ms}), its waits answered at once\n`,
    );
  }
}

for (const catalog of catalogs) {
  if (!values.json) console.log(`uploads of ${fileBytes} bytes, ${uploads} a case\n\n${heading}`);
  await withStack(catalog, (stack) => measure(stack, catalog));
}

async function measure(stack: Address, catalog: CatalogWay): Promise<void> {
  const { upload, put, timing } = await createSender(stack);
  await load(800, 16, upload);
  await load(800, 16, put);
  for (const concurrency of concurrencies) {
    Object.assign(timing, { spent: {}, read: 0 });
    const total: Total = { rounds: [], each: [], uploadCpu: {}, putCpu: {} };
    const cpuOf = async (sums: Record<string, number>, work: () => Promise<number>) => {
      const before = onLinux ? await cpuOfTree(stack.pid) : {};
      const ms = await work();
      const spent = spentEach(before, onLinux ? await cpuOfTree(stack.pid) : {}, 1);
      for (const [name, cpu] of Object.entries(spent)) sums[name] = (sums[name] ?? 0) + cpu;
      return ms;
    };
    const calls = Math.ceil((concurrency === 1 ? uploads / 4 : uploads) / rounds);
    for (let round = 0; round < rounds; round++) {
      const ms = await cpuOf(total.uploadCpu, async () => {
        const ours = await load(calls, concurrency, upload);
        total.each.push(...ours.each);
        return ours.ms;
      });
      const puts = await cpuOf(
        total.putCpu,
        async () => (await load(calls, concurrency, put)).ms,
      );
      total.rounds.push({ calls, uploads: ms, puts });
    }
    console.log(
      await caseLine({ stack, catalog, concurrency, total, ...timing, json: values.json }),
    );
  }
  for (let tenth = 1; tenth <= 10 && soak > 0; tenth++) {
    await load(soak / 10, 16, upload);
    const [rss, database] = await stackMegabytes(stack);
    const line = { soak: Math.round(soak / 10 * tenth), stack_mb: rss, children_mb: database };
    if (values.json) console.log(JSON.stringify(line));
    else console.log(`${line.soak} more uploads: ${rss} MB, its children ${database} MB`);
  }
}
