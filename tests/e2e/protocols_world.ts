/** What the tests of the protocols beside the plain ones share: a stack, two users, DuckDB, and bodies of many tables. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import avro from "avsc";
import type { DuckDBConnection } from "@duckdb/node-api";
import { type CatalogWay, type Stack, startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, type TestUser } from "../support/client.ts";
import { literal, multisetDifference, openDuckdb, readParquet, rows } from "../support/duckdb.ts";
import { openTraces } from "../support/traces.ts";

/** Of a combined body. */
export const tables = Array.from({ length: 12 }, (_, n) => `table_${n}`);

/** Rows of one table in one body: whole numbers, doubles, text that is null at times. */
export function rowsQuery(table: number, body: number): string {
  const from = table * 1000 + body * 100;
  return `select i::bigint as id, (i * 0.5)::double as score,
    case when i % 3 = 0 then null else 'note ' || i end as note, i % 2 = 0 as flag
    from range(${from}, ${from + 40 + table}) t(i)`;
}

const avroType = avro.Type.forSchema({
  type: "record",
  name: "Row",
  fields: [
    { name: "id", type: "long" },
    { name: "score", type: "double" },
    { name: "note", type: ["null", "string"] },
    { name: "flag", type: "boolean" },
  ],
});

/** An Object Container File of a query's rows, deflated. */
async function avroOf(duckdb: DuckDBConnection, query: string): Promise<Uint8Array> {
  const found = await rows(duckdb, query);
  const encoder = new avro.streams.BlockEncoder(avroType, { codec: "deflate" });
  const chunks: Uint8Array[] = [];
  const ended = new Promise<void>((resolve) => encoder.on("end", () => resolve()));
  encoder.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  for (const row of found) {
    encoder.write({ ...row, id: Number(row.id) });
  }
  encoder.end();
  await ended;
  return Buffer.concat(chunks);
}

/** A body of all tables: odd ones as Avro, a gap before each third. */
export async function bodyOf(duckdb: DuckDBConnection, folder: string, body: number) {
  const parts: Uint8Array[] = [];
  const offsets = [];
  let at = 0;
  const add = (bytes: Uint8Array) => {
    parts.push(bytes);
    at += bytes.length;
  };
  for (const [n, table_name] of tables.entries()) {
    if (n % 3 === 0) add(new Uint8Array(7).fill(0xee));
    const query = rowsQuery(n, body);
    let bytes: Uint8Array;
    if (n % 2 === 1) bytes = await avroOf(duckdb, query);
    else {
      const path = join(folder, `${table_name}-${body}.parquet`);
      await duckdb.run(`copy (${query}) to ${literal(path)} (format parquet)`);
      bytes = await Deno.readFile(path);
    }
    offsets.push({
      table_name,
      start_byte: at,
      byte_length: bytes.length,
      format: n % 2 === 1 ? "avro" : "parquet",
      num_rows: 40 + n,
    });
    add(bytes);
  }
  return { bytes: new Uint8Array(Buffer.concat(parts)), offsets };
}

/** A data file as it is listed. */
export interface ManifestFile {
  id: number;
  table: string;
  level: number;
  size: number;
  url: string;
}

/** What is there now. */
export async function latest(
  stack: Stack,
  user: TestUser,
  dataset: string,
): Promise<ManifestFile[]> {
  const { status, body } = await call(
    stack,
    "GET",
    `/battle-data/latest?dataset_id=${dataset}&limit=1000`,
    { headers: user.headers },
  );
  assert.equal(status, 200, JSON.stringify(body));
  return body.files;
}

/** A stack whose functions take bodies of 256 KiB, and what its tests ask by. */
export async function openProtocols(catalog: CatalogWay) {
  await using parts = new AsyncDisposableStack();
  const stack = parts.use(
    await startStack({ tickSeconds: 0.5, catalog, env: { SEDIMENT_MAX_BODY_BYTES: "262144" } }),
  );
  const traces = parts.use(openTraces(stack));
  const folder = await Deno.makeTempDir({ prefix: "sediment-protocols-" });
  parts.defer(() => Deno.remove(folder, { recursive: true }));
  const duckdb = await openDuckdb();
  parts.defer(() => duckdb.closeSync());
  const alice = await signUp(stack, "alice@example.com");
  const bob = await signUp(stack, "bob@example.com");
  const dataset = crypto.randomUUID();
  const describe = (bytes: Uint8Array, some: Record<string, unknown> = {}) => ({
    dataset_id: dataset,
    table: "battles",
    period_tag: "2024-11-25",
    file_size: String(bytes.length),
    content_hash: sha256(bytes),
    ...some,
  });
  const post = (path: string, json: unknown, user = alice) =>
    call(stack, "POST", path, { headers: user.headers, json });
  const fetchFile = async (url: string) => {
    const response = await fetch(url);
    assert.equal(response.status, 200, url);
    const path = join(folder, `${crypto.randomUUID()}.parquet`);
    await Deno.writeFile(path, await response.bytes());
    return path;
  };
  const assertRows = async (files: ManifestFile[], bodies: number) => {
    for (const [n, table] of tables.entries()) {
      const paths = [];
      for (const file of files.filter((file) => file.table === table)) {
        paths.push(await fetchFile(file.url));
      }
      const wanted = Array.from({ length: bodies }, (_, body) => rowsQuery(n, body));
      const difference = await multisetDifference(
        duckdb,
        `(${wanted.join(" union all ")})`,
        readParquet(paths),
      );
      assert.deepEqual(difference, { onlyLeft: 0, onlyRight: 0 }, table);
    }
  };
  const kept = parts.move();
  return {
    stack,
    traces,
    folder,
    duckdb,
    alice,
    bob,
    dataset,
    describe,
    post,
    fetchFile,
    assertRows,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
