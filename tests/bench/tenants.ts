/**
 * `deno task bench tenants [--json] [--seconds N] [--rounds N] [--attack NAME]`: what eight honest users notice of a
 * hostile one, attack by attack. The honest ones upload and read, with pauses as apps have them, by turns alone and
 * beside the attack; the ratio is the median of the rounds'. The functions are served by a process of their own, a new
 * one for each attack, whose memory is looked at; the stand-ins, and nothing that compacts, run in another.
 */
import { parseArgs } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import postgres from "postgres";
import {
  type FunctionsProcess,
  startFunctionsProcess,
  startStackProcess,
} from "./tenants/start_stack.ts";
import { signUp } from "../support/stack.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    attack: { type: "string" },
  },
});
const seconds = Number(options.seconds), rounds = Number(options.rounds);
const MiB = 1024 * 1024;

interface User {
  headers: Record<string, string>;
  dataset: string;
}

await using process = await startStackProcess();
const stack = process.report;
let functions: FunctionsProcess;
const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });

async function newUser(): Promise<User> {
  const { token } = await signUp(stack);
  return { headers: { authorization: `Bearer ${token}` }, dataset: crypto.randomUUID() };
}

function parquet(values: number[], names = ["n"]): Uint8Array<ArrayBuffer> {
  const columnData = names.map((name) => ({ name, data: values, type: "INT32" as const }));
  return new Uint8Array(parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED" }));
}

function bomb(codec: "BROTLI" | "GZIP", groups: number, bytes: number): Uint8Array<ArrayBuffer> {
  let packed: Uint8Array | undefined;
  const compress = codec === "GZIP" ? gzipSync : brotliCompressSync;
  const data = Array.from({ length: groups }, () => new Uint8Array(bytes - 4));
  return new Uint8Array(parquetWriteBuffer({
    columnData: [{ name: "b", data, type: "BYTE_ARRAY", nullable: false, encoding: "PLAIN" }],
    codec,
    compressors: { [codec]: (page: Uint8Array) => packed ??= new Uint8Array(compress(page)) },
    rowGroupSize: 1,
    statistics: false,
  }));
}

async function call(method: string, path: string, user: User, body?: BodyInit): Promise<number> {
  const headers = { ...user.headers };
  if (typeof body === "string") headers["content-type"] = "application/json";
  const response = await fetch(`${functions.url}${path}`, { method, headers, body });
  await response.body?.cancel();
  return response.status;
}

function upload(user: User, file: Uint8Array<ArrayBuffer>, some: object = {}): Promise<number> {
  const form = new FormData();
  const metadata = { dataset_id: user.dataset, table: "t", period_tag: "p", ...some };
  form.set("metadata", JSON.stringify(metadata));
  form.set("file", new Blob([file]), "f");
  return call("POST", "/battle-data/upload", user, form);
}

/** An app: uploads, then looks at what is there, then does something else for a while. */
async function honest(user: User, until: number, took: number[]): Promise<void> {
  while (performance.now() < until) {
    for (
      const ask of [
        () => upload(user, parquet([Math.random() * 2 ** 31 | 0, 1, 2])),
        () => call("GET", `/battle-data/latest?dataset_id=${user.dataset}&limit=10`, user),
      ]
    ) {
      const begun = performance.now();
      const status = await ask();
      if (status !== 200) throw new Error(`an honest user got ${status}`);
      took.push(performance.now() - begun);
      await new Promise((resolve) => setTimeout(resolve, 40 + Math.random() * 40));
    }
  }
}

const p99 = (took: number[]) => took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)];

/** A period of its own: the same bytes are another upload there, and are checked again. */
const elsewhere = () => ({ period_tag: crypto.randomUUID().slice(0, 13) });

/** Each is done by eight loops at once, for as long as the honest ones are looked at. */
const attacks: Record<string, (mallory: User) => () => Promise<number>> = {
  bomb(mallory) {
    const file = bomb("BROTLI", 60, 60 * MiB);
    return () => upload(mallory, file, elsewhere());
  },
  "costs as much as a check may"(mallory) {
    const file = bomb("GZIP", 14, 4 * MiB);
    return () => upload(mallory, file, elsewhere());
  },
  "many small pages"(mallory) {
    const data = Array.from({ length: 60_000 }, (_, n) => n);
    const columnData = [{ name: "n", data, type: "INT32" as const }];
    const file = new Uint8Array(
      parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED", rowGroupSize: 10 }),
    );
    return () => upload(mallory, file, elsewhere());
  },
  "dead letters eight at once": (mallory) => () => call("GET", "/compaction/dlq-status", mallory),
  "requests for compaction"(mallory) {
    return () =>
      call("POST", "/compaction", mallory, JSON.stringify({ dataset_id: mallory.dataset }));
  },
  "a new schema each time"(mallory) {
    return () => {
      const names = Array.from({ length: 100 }, () => crypto.randomUUID().repeat(8));
      return upload(mallory, parquet([1], names), { table: "s" });
    };
  },
  "a hundred partitions an upload"(mallory) {
    const one = parquet([1]);
    const body = new Uint8Array(one.length * 100);
    for (let n = 0; n < 100; n++) body.set(one, n * one.length);
    return () => {
      const table_offsets = Array.from({ length: 100 }, (_, n) => ({
        table_name: `t${n}`,
        start_byte: n * one.length,
        byte_length: one.length,
      }));
      return upload(mallory, body, { ...elsewhere(), table_offsets });
    };
  },
  "planned and never sent"(mallory) {
    return () =>
      call(
        "POST",
        "/battle-data/upload?direct=1",
        mallory,
        JSON.stringify({
          dataset_id: crypto.randomUUID(),
          table: "t",
          period_tag: "p",
          file_size: 1,
          content_hash: crypto.randomUUID().replaceAll("-", "").repeat(2),
        }),
      );
  },
};

async function catalogBytes(): Promise<number> {
  const [row] = await sql`
    select sum(pg_total_relation_size(c.oid))::bigint as bytes from pg_class c
    join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'r'`;
  return Number(row.bytes);
}

async function look(users: User[], attack?: () => Promise<number>) {
  const before = await catalogBytes();
  const until = performance.now() + seconds * 1000;
  const took: number[] = [];
  const statuses: Record<number, number> = {};
  let peak = 0;
  const watch = setInterval(() => peak = Math.max(peak, functions.memoryMb()), 50);
  const loops = attack === undefined ? [] : Array.from({ length: 8 }, async () => {
    while (performance.now() < until) {
      const status = await attack();
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  });
  await Promise.all([...users.map((user) => honest(user, until, took)), ...loops]);
  clearInterval(watch);
  const grown = (await catalogBytes() - before) / 1024 * 60 / seconds;
  return { p99: p99(took), peak, grown, statuses, requests: took.length };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

type Look = Awaited<ReturnType<typeof look>>;

function tell(attack: string, alone: Look[], beside: Look[]): void {
  const line = {
    attack,
    p99_ratio: Number(median(beside.map(({ p99 }, n) => p99 / alone[n].p99)).toFixed(2)),
    peak_mb: Math.round(Math.max(...beside.map(({ peak }) => peak))),
    // what the honest requests left is taken off by their count
    catalog_kb_per_minute: Math.round(
      median(
        beside.map(({ grown, requests }, n) =>
          grown - alone[n].grown * requests / alone[n].requests
        ),
      ),
    ),
  };
  if (options.json) return console.log(JSON.stringify(line));
  const range = (looks: Look[]) => looks.map(({ p99 }) => p99.toFixed(0)).join(", ");
  console.log(
    `${attack}: p99 ${range(alone)} → ${range(beside)} ms (${line.p99_ratio}), ` +
      `memory ${Math.round(alone[0].peak)} → ${line.peak_mb} MB, ` +
      `catalog ${line.catalog_kb_per_minute} KB a minute; ` +
      `answers ${JSON.stringify(beside.map(({ statuses }) => statuses))}`,
  );
}

try {
  for (const [attack, prepare] of Object.entries(attacks)) {
    if (options.attack !== undefined && options.attack !== attack) continue;
    await using process = await startFunctionsProcess(stack);
    functions = process;
    const users = await Promise.all(Array.from({ length: 8 }, newUser));
    const alone: Look[] = [], beside: Look[] = [];
    await look(users); // the first of everything
    for (let round = 0; round < rounds; round++) {
      const mallory = await newUser(); // whose limits are unspent
      await upload(mallory, parquet([1]));
      const hostile = prepare(mallory);
      alone.push(await look(users));
      beside.push(await look(users, hostile));
    }
    tell(attack, alone, beside);
  }
} finally {
  await sql.end();
}
