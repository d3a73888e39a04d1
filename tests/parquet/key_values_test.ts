/** Key-value metadata by what it means, beside the readers that go by it. */
import { Field, Int64, Schema, Table, tableToIPC } from "apache-arrow";
import { strict as assert } from "node:assert";
import { footerOfBytes } from "../../shared/parquet/format/footer.ts";
import { bytesReader } from "../../shared/parquet/format/range_reader.ts";
import { schemaJson } from "../../shared/parquet/format/schema_json.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { ArrowSchema } from "../../shared/parquet/key_values/arrow_schema.ts";
import { merge } from "../../shared/parquet/merge/merge.ts";
import { unionSchema } from "../../shared/parquet/merge/union/union_schema.ts";
import { uniteSchemas } from "../../shared/compaction/plan/unite_schemas.ts";
import { openDuckDb, rowsOf } from "./duckdb_rows.ts";
import { MemorySink } from "./memory_sink.ts";
import { writeWithDuckDb } from "./sample_files.ts";
import { withFooter } from "./with_footer.ts";

type Keys = Record<string, string>;

const withKeys = (file: Uint8Array, keys: Keys) =>
  withFooter(file, (metadata) => {
    metadata.keyValues = Object.entries(keys).map(([key, value]) => ({ key, value }));
  });

/** Merges by name; gives the output's keys and what was set apart. */
async function mergeKeyed(files: Uint8Array[]) {
  const facts = files.map((bytes) => inspectParquetBytes(bytes));
  const sink = new MemorySink();
  const result = await merge(
    {
      inputs: files.map((_, i) => ({ id: String(i), level: 0 })),
      target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" },
      schema: schemaJson(unionSchema(facts.map(({ tree }) => tree))),
      expectedRows: facts.reduce((sum, { rowCount }) => sum + rowCount, 0),
    },
    new Map(files.map((bytes, i) => [String(i), bytesReader(bytes)])),
    sink,
  );
  const output = sink.bytes();
  const { keyValues } = footerOfBytes(output).metadata;
  const keys = Object.fromEntries((keyValues ?? []).map(({ key, value }) => [key, value!]));
  const apart = result.rejected.map(({ id, error, apart }) => [id, error.code, apart]);
  return { output, keys, apart, result };
}

async function typeOf(bytes: Uint8Array, column: string): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".parquet" });
  const { connection, close } = await openDuckDb();
  try {
    await Deno.writeFile(path, bytes);
    const rows = await rowsOf(connection, `select distinct typeof(${column}) from '${path}'`);
    return [...rows.keys()].join();
  } finally {
    close();
    await Deno.remove(path);
  }
}

/** A point or line in WKB, little-endian. */
const wkb = (kind: number, ...numbers: number[]) => {
  const bytes = new DataView(new ArrayBuffer(5 + (kind === 2 ? 4 : 0) + 8 * numbers.length));
  bytes.setUint8(0, 1);
  bytes.setUint32(1, kind, true);
  if (kind === 2) bytes.setUint32(5, numbers.length / 2, true);
  numbers.forEach((n, i) => bytes.setFloat64(bytes.byteLength - 8 * (numbers.length - i), n, true));
  return [...new Uint8Array(bytes.buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");
};
const geo = (types: string[], bbox?: number[], more = {}) =>
  JSON.stringify({
    version: "1.0.0",
    primary_column: "g",
    columns: { g: { encoding: "WKB", geometry_types: types, ...(bbox && { bbox }), ...more } },
  });
const geometry = (hex: string, more = "") =>
  writeWithDuckDb(`select unhex('${hex}') as g, 1 as id${more}`);

Deno.test("geometries of several kinds and schemas stay geometries for DuckDB, with the box of all", async () => {
  const point = withKeys(await geometry(wkb(1, 1, 2)), { geo: geo(["Point"], [1, 2, 1, 2]) });
  const line = withKeys(await geometry(wkb(2, 0, 5, 3, 4)), {
    geo: geo(["LineString"], [0, 4, 3, 5]),
  });
  const wider = withKeys(await geometry(wkb(1, 9, 2), ", 'x' as extra"), {
    geo: geo(["Point"], [9, 2, 9, 2]),
  });
  const empty = await writeWithDuckDb("select 'a'::blob as g, 1 as id where false");
  const { output, keys, apart } = await mergeKeyed([point, line, empty, wider]);
  assert.deepEqual(apart, []);
  assert.deepEqual(JSON.parse(keys.geo), {
    version: "1.0.0",
    primary_column: "g",
    columns: {
      g: { encoding: "WKB", geometry_types: ["LineString", "Point"], bbox: [0, 2, 9, 5] },
    },
  });
  assert.match(await typeOf(output, "g"), /GEOMETRY/);
});

Deno.test("a bounding box that one file lacks, or that spans the antimeridian, is left out", async () => {
  const file = await geometry(wkb(1, 1, 2));
  const box = withKeys(file, { geo: geo(["Point"], [1, 2, 1, 2]) });
  for (const other of [geo(["Point"]), geo(["Point"], [170, 0, -170, 5])]) {
    const { keys } = await mergeKeyed([box, withKeys(file, { geo: other })]);
    assert.deepEqual(JSON.parse(keys.geo).columns.g, {
      encoding: "WKB",
      geometry_types: ["Point"],
    });
  }
});

Deno.test("a column that is a geometry in one file and bytes in another, or of another system, is two outputs", async () => {
  const file = await geometry(wkb(1, 1, 2));
  const named = withKeys(file, { geo: geo(["Point"]) });
  const moved = withKeys(file, { geo: geo(["Point"], undefined, { crs: { id: 3857 } }) });
  for (const other of [file, moved]) {
    const { apart, output } = await mergeKeyed([named, other, named]);
    assert.deepEqual(apart, [["1", "schema_incompatible", "schema"]]);
    assert.match(await typeOf(output, "g"), /GEOMETRY/);
    const facts = [named, other].map((bytes) => inspectParquetBytes(bytes));
    assert.notEqual(facts[0].schemaFingerprint, facts[1].schemaFingerprint);
    assert.equal(uniteSchemas(facts.map(({ schema }) => schema)).length, 2);
  }
});

/** `ARROW:schema` of one column, with what pandas says of rows 0 to `stop`. */
function arrowText(stop: number, name = "took"): string {
  const pandas = JSON.stringify({
    index_columns: [{ kind: "range", name: null, start: 0, stop, step: 1 }],
    columns: [{ name, pandas_type: "int64" }],
  });
  const schema = new Schema([new Field(name, new Int64(), true)], new Map([["pandas", pandas]]));
  const stream = tableToIPC(new Table(schema), "stream");
  const length = 8 + new DataView(stream.buffer, stream.byteOffset).getInt32(4, true);
  return btoa(String.fromCharCode(...stream.subarray(0, length)));
}

Deno.test("an Arrow schema is kept without the range of pandas' index, however many rows each file has", async () => {
  const file = await writeWithDuckDb("select i as took from range(3) t(i)");
  for (const stops of [[3, 3], [3, 1_000_000]]) {
    const { keys } = await mergeKeyed(
      stops.map((stop) => withKeys(file, { "ARROW:schema": arrowText(stop) })),
    );
    const kept = atob(keys["ARROW:schema"]);
    assert.match(kept, /"index_columns":\[\],"columns":\[\{"name":"took"/);
    assert.doesNotMatch(kept, /"stop"/);
    assert.equal(kept.length, atob(arrowText(stops[0])).length, "no offset moves");
    assert.ok(new ArrowSchema(keys["ARROW:schema"]).equals(new ArrowSchema(arrowText(7))));
  }
});

Deno.test("an Arrow schema that one file lacks, has otherwise, or that is not the output's is dropped", async () => {
  const file = await writeWithDuckDb("select i as took from range(3) t(i)");
  const more = await writeWithDuckDb("select i as took, 1 as added from range(3) t(i)");
  const keyed = (bytes: Uint8Array, name?: string) =>
    withKeys(bytes, { "ARROW:schema": arrowText(3, name) });
  for (const other of [file, keyed(file, "other"), keyed(more)]) {
    const { keys, apart } = await mergeKeyed([keyed(file), other]);
    assert.deepEqual([keys, apart], [{}, []]);
  }
});

const spark = (version: string, ...legacy: string[]): Keys => ({
  "org.apache.spark.version": version,
  ...Object.fromEntries(legacy.map((name) => [`org.apache.spark.${name}`, ""])),
  ...(legacy.length > 0 && { "org.apache.spark.timeZone": "Europe/Berlin" }),
});

Deno.test("Spark's calendar travels with its version, and files of two calendars are two outputs", async () => {
  const days = await writeWithDuckDb("select date '1500-01-01' as d");
  const legacy = withKeys(days, spark("3.5.0", "legacyDateTime", "legacyINT96"));
  const old = withKeys(days, { ...spark("2.4.8"), "org.apache.spark.timeZone": "Europe/Berlin" });
  const { keys, apart } = await mergeKeyed([legacy, old]);
  assert.deepEqual(apart, []);
  assert.deepEqual(keys, {
    "org.apache.spark.version": "2.4.8",
    "org.apache.spark.legacyDateTime": "",
    "org.apache.spark.timeZone": "Europe/Berlin",
  });
  const modern = withKeys(days, spark("3.5.0"));
  const mixed = await mergeKeyed([legacy, modern, days]);
  assert.deepEqual(mixed.apart.map(([id, , apart]) => [id, apart]), [["1", "schema"], [
    "2",
    "schema",
  ]]);
  assert.deepEqual((await mergeKeyed([modern, modern])).keys, spark("3.5.0"));
  // nobody's days are moved by what is said of none
  const numbers = await writeWithDuckDb("select 1 as n");
  assert.deepEqual((await mergeKeyed([withKeys(numbers, spark("2.4.8")), numbers])).apart, []);
});

Deno.test("Hive's time zone travels, and another one is another output", async () => {
  const days = await writeWithDuckDb("select date '1500-01-01' as d");
  const hive = (zone: string) =>
    withKeys(days, { "writer.time.zone": zone, "writer.date.proleptic": "false" });
  const { keys, apart } = await mergeKeyed([
    hive("America/Los_Angeles"),
    hive("America/Los_Angeles"),
    hive("Asia/Tokyo"),
    days,
  ]);
  assert.deepEqual(keys, {
    "writer.time.zone": "America/Los_Angeles",
    "writer.date.proleptic": "false",
  });
  assert.deepEqual(apart.map(([id]) => id), ["2", "3"]);
});
