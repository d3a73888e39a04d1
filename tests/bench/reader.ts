/**
 * `deno task bench reader [--files N] [--rows N] [--turns N] [--json]`: tables read through the reader from an embedded
 * stack of its own process, beside hyparquet over the same signed URLs and DuckDB (one thread, over httpfs where it can
 * be had, else over the files on disk), in turns. Then the decoders alone, on bytes in memory, beside parquet-wasm.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { tableFromIPC } from "apache-arrow";
import type * as arrow from "apache-arrow";
import { asyncBufferFromUrl, parquetMetadata, parquetMetadataAsync, parquetRead } from "hyparquet";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readParquet as readByWasm } from "parquet-wasm/node";
import { type Dataset, openDataset } from "../../shared/reader/open_dataset.ts";
import type { Scan } from "../../shared/reader/scan/scan.ts";
import type { Where } from "../../shared/reader/where/where.ts";
import { arrowText, duckText } from "../reader/support/exact_rows.ts";
import { scanBytes } from "../reader/support/scan_bytes.ts";
import { call, signUp, uploadForm } from "../support/client.ts";
import { openDuckdb, openUrls, readParquet } from "../support/duckdb.ts";
import { median } from "./median.ts";
import { listFiles, writeFiles } from "./merge/data.ts";
import { withStack } from "./upload/bench_stack.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    json: { type: "boolean", default: false },
    files: { type: "string", default: "50" },
    rows: { type: "string", default: "4000" },
    turns: { type: "string", default: "5" },
  },
});
const files = Number(values.files), rowsEach = Number(values.rows), turns = Number(values.turns);

/** What is read. */
interface Case {
  name: string;
  columns?: string[];
  where?: Where;
  sql: string;
}

const from = 7 * rowsEach, to = from + 100;
const cases: Case[] = [
  { name: "full scan", sql: "select * from t" },
  { name: "two columns", columns: ["id", "s_mid"], sql: "select id, s_mid from t" },
  {
    name: `a filter that one file in ${files} meets`,
    where: { and: [{ column: "id", op: ">=", value: from }, { column: "id", op: "<", value: to }] },
    sql: `select * from t where id >= ${from} and id < ${to}`,
  },
];

/** Every way once for nothing, then in turns. */
async function compare(
  one: Case,
  open: () => Promise<Dataset>,
  sources: { url: string; size: number }[],
  duckdb: DuckDBConnection,
) {
  const scanOf = (dataset: Dataset) =>
    dataset.scan({ table: "battles", columns: one.columns, where: one.where });
  const ways = {
    ours: async () => {
      const scan: Scan = scanOf(await open());
      await scan.toTable();
      return scan.report;
    },
    duckdb: async () => void await duckdb.runAndReadAll(one.sql),
    hyparquet: () => byHyparquet(one, sources),
  };
  const times: Record<string, number[]> = { ours: [], duckdb: [], hyparquet: [] };
  let bytes = 0;
  for (let turn = 0; turn <= turns; turn++) {
    for (const [name, way] of Object.entries(ways)) {
      const start = performance.now();
      const report = await way();
      if (turn > 0) times[name].push(performance.now() - start);
      if (report !== undefined) bytes = report.bytesRead;
    }
  }
  const ours = digestOf(await scanOf(await open()).toTable());
  const theirs = await duckDigest(duckdb, one.sql);
  return {
    case: one.name,
    ours_ms: round(median(times.ours)),
    duckdb_ms: round(median(times.duckdb)),
    hyparquet_ms: round(median(times.hyparquet)),
    bytes_read: bytes,
    equal: ours === theirs,
  };
}

const micros = { timestampFromMicroseconds: (value: bigint) => value };

/** hyparquet as its documentation reads a file, four files at a time; times stay whole. */
async function byHyparquet(one: Case, sources: { url: string; size: number }[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < sources.length; i = next++) {
      const { url, size } = sources[i];
      const file = await asyncBufferFromUrl({ url, byteLength: size });
      const metadata = await parquetMetadataAsync(file);
      // deno-lint-ignore no-explicit-any -- its types want all of the parsers
      const options: any = { file, metadata, columns: one.columns, parsers: micros };
      if (one.where === undefined) await parquetRead({ ...options, onChunk() {} });
      else {
        const filter = { $and: [{ id: { $gte: BigInt(from) } }, { id: { $lt: BigInt(to) } }] };
        await parquetRead({ ...options, filter, rowFormat: "object", onComplete() {} });
      }
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}

/** The three decoders on the same bytes: what each gives as it comes, parquet-wasm's as Arrow in JavaScript. */
async function decodersAlone(all: Uint8Array<ArrayBuffer>[]) {
  const ways = {
    ours: async () => void await scanBytes(all),
    hyparquet: async () => {
      for (const bytes of all) {
        const metadata = parquetMetadata(bytes.buffer);
        // deno-lint-ignore no-explicit-any -- its types want all of the parsers
        const options: any = { file: bytes.buffer, metadata, parsers: micros, onChunk() {} };
        await parquetRead(options);
      }
    },
    parquet_wasm: () => {
      for (const bytes of all) tableFromIPC(readByWasm(bytes).intoIPCStream());
      return Promise.resolve();
    },
  };
  const times: Record<string, number[]> = { ours: [], hyparquet: [], parquet_wasm: [] };
  for (let turn = 0; turn <= turns; turn++) {
    for (const [name, way] of Object.entries(ways)) {
      const start = performance.now();
      await way();
      if (turn > 0) times[name].push(performance.now() - start);
    }
  }
  return {
    case: "decoders alone, in memory",
    ours_ms: round(median(times.ours)),
    hyparquet_ms: round(median(times.hyparquet)),
    parquet_wasm_ms: round(median(times.parquet_wasm)),
    bytes_read: all.reduce((sum, { length }) => sum + length, 0),
  };
}

/** A sum over the rows' hashes: the same for the same rows in any order. */
class RowDigest {
  #sum = 0n;
  #rows = 0;

  add(row: string): void {
    this.#sum += createHash("sha256").update(row).digest().readBigUInt64LE();
    this.#rows++;
  }

  toString(): string {
    return `${this.#rows} ${BigInt.asUintN(64, this.#sum)}`;
  }
}

function digestOf(table: arrow.Table): string {
  const digest = new RowDigest();
  const names = table.schema.fields.map(({ name }) => name);
  for (const batch of table.batches) {
    for (let i = 0; i < batch.numRows; i++) {
      digest.add(names.map((name, k) => `${name}:${arrowText(batch.data.children[k], i)}`).join());
    }
  }
  return String(digest);
}

async function duckDigest(duckdb: DuckDBConnection, sql: string): Promise<string> {
  const digest = new RowDigest();
  const reader = await duckdb.runAndReadAll(sql);
  const names = reader.columnNames();
  for (const row of reader.getRows()) {
    digest.add(row.map((value, k) => `${names[k]}:${duckText(value)}`).join());
  }
  return String(digest);
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}

function tell(line: Record<string, unknown>, more: Record<string, unknown>): void {
  if (values.json) console.log(JSON.stringify({ ...line, ...more }));
  else {
    const { case: name, ...figures } = { ...line, ...more };
    const text = Object.entries(figures).map(([key, value]) => `${key} ${value}`).join(" · ");
    console.log(`${name}: ${text}`);
  }
  if (line.equal === false) Deno.exitCode = 1;
}

const folder = await Deno.makeTempDir({ prefix: "sediment-bench-reader-" });
try {
  const data = join(folder, "data");
  await writeFiles(data, { files, rowsEach });
  const paths = await listFiles(data);
  await withStack("postgres", async (stack) => {
    const user = await signUp(stack, "bench@example.com");
    const datasetId = crypto.randomUUID();
    for (const path of paths) {
      const answer = await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm(
          { dataset_id: datasetId, table: "battles", period_tag: "0" },
          await Deno.readFile(path),
        ),
      });
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    }
    const open = () =>
      openDataset({
        url: stack.url,
        key: stack.publishableKey,
        session: user.accessToken,
        datasetId,
      });
    const listed = await Array.fromAsync((await open()).files({ table: "battles" }));
    const sources = listed.map(({ url, size }) => ({ url: url!, size }));
    const duckdb = await openDuckdb(1);
    const { paths: readable, over } = await openUrls(duckdb, sources.map(({ url }) => url), folder);
    await duckdb.run(`create view t as from ${readParquet(readable)}`);
    for (const one of cases) {
      tell(await compare(one, open, sources, duckdb), { duckdb_over: over });
    }
    duckdb.closeSync();
  });
  tell(await decodersAlone(paths.map((path) => Deno.readFileSync(path))), {});
} finally {
  await Deno.remove(folder, { recursive: true });
}
