/**
 * `deno task bench upload [--uploads N] [--tables N] [--soak N] [--json]`: one-request uploads of 60 KB a second, beside a plain PUT of
 * the same bytes to the Storage endpoint of the same stack, at several concurrencies, in turns. Where the time
 * goes comes from the answers' Server-Timing, and the CPU of each process of the stack from /proc. The stack is a
 * process of its own; client and stack share the cores. `--soak N` makes N uploads more, 16 at once, and prints
 * the stack's memory after each tenth of them. The function's own CPU for 12 tables in one body is measured over
 * `--tables N` uploads, in this process: upload/twelve_tables.ts says what is in it.
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { signUp } from "../support/client.ts";
import { cpuOfTree, spentEach } from "./process_cpu.ts";
import { memoryOfTree } from "./process_memory.ts";
import { boundary, fileBytes, multipart, nextFile } from "./upload/bodies.ts";
import { twelveTables } from "./upload/twelve_tables.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    /** Uploads a case. */
    uploads: { type: "string", default: "1600" },
    concurrency: { type: "string", default: "1,16,64" },
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
const concurrencies = values.concurrency.split(",").map(Number);

interface Address {
  url: string;
  publishableKey: string;
  secretKey: string;
  pid: number;
}

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

const stateDir = await Deno.makeTempDir({ prefix: "sediment-bench-" });
await Deno.chmod(stateDir, 0o711);
const child = new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "-A", fileURLToPath(new URL("../../supabase/local/start.ts", import.meta.url))],
    ...["--state", stateDir, "--port", "0", "--json", "--no-cron"],
  ],
  stdin: "null",
  stdout: "piped",
  stderr: "inherit",
}).spawn();
const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
try {
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await output.read();
    if (done) throw new Error("the stack did not start");
    text += value;
  }
  await measure(JSON.parse(text));
} finally {
  child.kill("SIGINT");
  await child.status;
  await output.cancel();
  await Deno.remove(stateDir, { recursive: true });
}

async function measure(stack: Address): Promise<void> {
  const user = await signUp(stack, `bench-${crypto.randomUUID()}@example.com`);
  const dataset = crypto.randomUUID();
  const spent: Record<string, number> = {};

  const upload = async () => {
    const response = await fetch(`${stack.url}/functions/v1/battle-data/upload`, {
      method: "POST",
      headers: { ...user.headers, "content-type": `multipart/form-data; boundary=${boundary}` },
      body: multipart(dataset, nextFile()),
    });
    const answer = await response.json();
    if (!response.ok || answer.duplicate) throw new Error(JSON.stringify(answer));
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
  if (!values.json) {
    console.log(`uploads of ${fileBytes} bytes, ${uploads} a case\n`);
    console.log(
      "   at once   uploads/s      PUT/s   ratio    p50 ms    p99 ms   MB   where the time goes (ms)",
    );
  }
  for (const concurrency of concurrencies) {
    for (const name of Object.keys(spent)) delete spent[name];
    const total: Total = { uploads: 0, puts: 0, each: [], uploadCpu: {}, putCpu: {} };
    const cpuOf = async (sums: Record<string, number>, work: () => Promise<void>) => {
      const before = onLinux ? await cpuOfTree(stack.pid) : {};
      await work();
      const spent = spentEach(before, onLinux ? await cpuOfTree(stack.pid) : {}, 1);
      for (const [name, ms] of Object.entries(spent)) sums[name] = (sums[name] ?? 0) + ms;
    };
    // In turns, so that a busy machine is busy for both.
    const rounds = 4;
    for (let round = 0; round < rounds; round++) {
      await cpuOf(total.uploadCpu, async () => {
        const ours = await load(uploads / rounds, concurrency, upload);
        total.uploads += ours.ms;
        total.each.push(...ours.each);
      });
      await cpuOf(total.putCpu, async () => {
        total.puts += (await load(uploads / rounds, concurrency, put)).ms;
      });
    }
    await report(stack, concurrency, total, spent);
  }
  for (let tenth = 1; tenth <= 10 && soak > 0; tenth++) {
    await load(soak / 10, 16, upload);
    const [rss, database] = await stackMegabytes(stack);
    const line = { soak: Math.round(soak / 10 * tenth), stack_mb: rss, children_mb: database };
    if (values.json) console.log(JSON.stringify(line));
    else console.log(`${line.soak} more uploads: ${rss} MB, its children ${database} MB`);
  }
}

/** Resident megabytes of the stack's process; proportional ones of its children. Null where there is no /proc. */
async function stackMegabytes({ pid }: Address): Promise<[number | null, number | null]> {
  if (!onLinux) return [null, null];
  const memory = await memoryOfTree(pid);
  const own = memory.find((process) => process.pid === pid);
  const others = memory.filter((process) => process.pid !== pid);
  return [
    own === undefined ? null : Math.round(own.rss / 1e6),
    Math.round(others.reduce((sum, { pss }) => sum + pss, 0) / 1e6),
  ];
}

/** Sums of one case: wall milliseconds, those of each upload, CPU milliseconds by program. */
interface Total {
  uploads: number;
  puts: number;
  each: number[];
  uploadCpu: Record<string, number>;
  putCpu: Record<string, number>;
}

async function report(
  stack: Address,
  concurrency: number,
  total: Total,
  spent: Record<string, number>,
): Promise<void> {
  const sorted = total.each.sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  const perSecond = (ms: number) => sorted.length / ms * 1000;
  const means = Object.fromEntries(
    Object.entries(spent).map(([name, ms]) => [name, Number((ms / sorted.length).toFixed(2))]),
  );
  const [rss] = await stackMegabytes(stack);
  const line = {
    concurrency,
    uploads_per_s: Number(perSecond(total.uploads).toFixed(1)),
    put_per_s: Number(perSecond(total.puts).toFixed(1)),
    ratio: Number((total.puts / total.uploads).toFixed(3)),
    p50_ms: Number(at(0.5).toFixed(2)),
    p99_ms: Number(at(0.99).toFixed(2)),
    ms_of: means,
    cpu_ms_of: spentEach({}, total.uploadCpu, sorted.length),
    put_cpu_ms_of: spentEach({}, total.putCpu, sorted.length),
    stack_mb: rss,
  };
  if (values.json) return console.log(JSON.stringify(line));
  const cell = (value: unknown, width: number) => String(value).padStart(width);
  const text = (numbers: Record<string, number>) =>
    Object.entries(numbers).map(([name, ms]) => `${name} ${ms}`).join(", ");
  console.log(
    cell(concurrency, 10) + cell(line.uploads_per_s, 12) + cell(line.put_per_s, 11) +
      cell(line.ratio, 8) +
      cell(line.p50_ms, 10) + cell(line.p99_ms, 10) + cell(line.stack_mb, 5) + "   " +
      text(means) + `\n${cell("", 12)}CPU ms an upload: ${text(line.cpu_ms_of)};` +
      ` a PUT: ${text(line.put_cpu_ms_of)}`,
  );
}
