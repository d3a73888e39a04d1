/**
 * `deno task bench upload [--catalog postgres,postgrest] [--uploads N] [--tables N] [--soak N] [--json]`: one-request
 * uploads of 60 KB a second, beside a plain PUT of the same bytes to the Storage endpoint of the same stack, at several
 * concurrencies, in turns; medians over the turns. All of it over both ways from the functions to the catalog. Where
 * the time goes comes from the answers' Server-Timing, and the CPU of each process of the stack from /proc. The stack
 * is a process of its own; client and stack share the cores. `--soak N` makes N uploads more, 16 at once, and prints
 * the stack's memory after each tenth of them. The function's own CPU for 12 tables in one body is measured over
 * `--tables N` uploads, in this process: upload/twelve_tables.ts says what is in it.
 */
import { parseArgs } from "node:util";
import postgres from "postgres";
import type { CatalogWay } from "../../supabase/local/stack.ts";
import { signUp } from "../support/client.ts";
import { cpuOfTree, spentEach } from "./process_cpu.ts";
import { type Address, withStack } from "./upload/bench_stack.ts";
import { boundary, fileBytes, multipartBodies, nextFile } from "./upload/bodies.ts";
import { caseLine, stackMegabytes, type Total } from "./upload/report.ts";
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
    json: { type: "boolean", default: false },
  },
});
const uploads = Number(values.uploads);
const tables = Number(values.tables);
const soak = Number(values.soak);
const onLinux = Deno.build.os === "linux";
/** Uploads and PUTs take turns, so that a busy machine is busy for both. */
const rounds = 16;
/** Of so many uploads one has its answer read. */
const readEvery = 8;
const catalogs = values.catalog.split(",") as CatalogWay[];
const heading =
  "   catalog  at once   uploads/s      PUT/s   ratio    p50 ms    p99 ms   MB   where the time goes (ms)";
const concurrencies = values.concurrency.split(",").map(Number);

/** Calls a number of times, so many at once; gives the milliseconds of each call and of all. */
async function load(count: number, concurrency: number, call: () => Promise<void>) {
  const each: number[] = [];
  let left = count;
  const begun = performance.now();
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (left-- > 0) {
      const start = performance.now();
      await call();
      each.push(performance.now() - start);
    }
  }));
  return { each, ms: performance.now() - begun };
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
  // one user sends more than one may: what is measured is the way of an upload, its limits included, not a refusal
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  await sql`update public.service_settings set uploads_per_minute = 1000000, upload_bytes_per_day = 1e15`;
  await sql.end();
  const user = await signUp(stack, `bench-${crypto.randomUUID()}@example.com`);
  const dataset = crypto.randomUUID();
  const nextBody = multipartBodies(dataset);
  const spent: Record<string, number> = {};
  let sent = 0;
  let read = 0;

  const upload = async () => {
    const response = await fetch(`${stack.url}/functions/v1/battle-data/upload`, {
      method: "POST",
      headers: { ...user.headers, "content-type": `multipart/form-data; boundary=${boundary}` },
      body: nextBody(),
    });
    // One answer in so many is read: what the client does with it takes cores that the stack shares.
    if (response.ok && sent++ % readEvery !== 0) return void await response.body?.cancel();
    const answer = await response.json();
    if (!response.ok || answer.duplicate) throw new Error(JSON.stringify(answer));
    read++;
    for (const part of (response.headers.get("server-timing") ?? "").split(", ")) {
      const [, name, ms] = /^(\w+);dur=([\d.]+)$/.exec(part) ?? [];
      if (name !== undefined) spent[name] = (spent[name] ?? 0) + Number(ms);
    }
  };
  const put = async () => {
    const response = await fetch(
      `${stack.url}/storage/v1/object/sediment/bench/${crypto.randomUUID()}.parquet`,
      {
        method: "POST",
        headers: {
          apikey: stack.secretKey,
          authorization: `Bearer ${stack.secretKey}`,
          "content-type": "application/octet-stream",
        },
        body: nextFile(),
      },
    );
    if (!response.ok) throw new Error(await response.text());
    await response.body?.cancel();
  };

  await load(800, 16, upload);
  await load(800, 16, put);
  for (const concurrency of concurrencies) {
    for (const name of Object.keys(spent)) delete spent[name];
    read = 0;
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
      await caseLine({ stack, catalog, concurrency, total, spent, read, json: values.json }),
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
