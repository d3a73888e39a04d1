/** The reader beside DuckDB on files of other writers. */
import { strict as assert } from "node:assert";
import { fixtureBytes, fixtureNames, fixturePath, hasFixtures } from "../parquet/fixtures.ts";
import { openDuckDb } from "../parquet/duckdb_rows.ts";
import { literal } from "../support/duckdb.ts";
import { batchRows, duckRows } from "./support/exact_rows.ts";
import { scanBytes } from "./support/scan_bytes.ts";

/** Where DuckDB gives something else for the same bytes: what is made alike before comparing. */
const differences: [name: RegExp, why: string, alike: (row: string) => string][] = [
  [
    /^nested_structs\.rust/,
    "it reads timestamps with a ConvertedType alone as local; the spec has them in UTC",
    (row) => row.replaceAll("UTC ", "local "),
  ],
  [
    /^strings\./,
    "it knows no text by its LogicalType alone",
    (row) => row.replace(/l_utf8:"(.*?)"/, (_, text) => `l_utf8:x${hex(text)}`),
  ],
];

const hex = (text: string) =>
  Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Files that DuckDB can't be asked about. */
const notByDuckDb: [name: RegExp, why: string][] = [
  [/^(geoparquet|geospatial)/, "it prints geometries its own way; below they are read as they are"],
  [/^shredded-/, "it puts variants together; here they are the columns that are stored"],
  [/^byte_stream_split_extended/, "it knows BYTE_STREAM_SPLIT of FLOAT and DOUBLE only"],
  [/^hadoop_lz4/, "it does not know the LZ4 of Hadoop"],
];

for (const name of fixtureNames()) {
  if (notByDuckDb.some(([pattern]) => pattern.test(name))) continue;
  const alike = differences.find(([pattern]) => pattern.test(name))?.[2] ?? ((row) => row);
  for (const batchRowsOf of [65_536, 256]) {
    Deno.test(`${name} has the rows that DuckDB reads, in batches of ${batchRowsOf}`, async () => {
      const { connection, close } = await openDuckDb();
      try {
        // with wholeFileBytes 0 row groups are decoded in steps
        const limits = batchRowsOf === 256
          ? { batchRows: 256, wholeFileBytes: 0, wholeScanBytes: 0, tailBytes: 128, batchBytes: 1 }
          : {};
        const { batches } = await scanBytes([fixtureBytes(name)], { limits });
        const theirs = await duckRows(
          connection,
          `from read_parquet(${literal(fixturePath(name))})`,
        );
        assert.deepEqual(batchRows(batches).map(alike), theirs.map(alike));
      } finally {
        close();
      }
    });
  }
}

const options = { ignore: !hasFixtures };

Deno.test({
  ...options,
  name: "BYTE_STREAM_SPLIT gives what PLAIN gives, for every type that has it",
  fn: async () => {
    const { batches } = await scanBytes([fixtureBytes("byte_stream_split_extended.gzip.parquet")]);
    const rows = batchRows(batches).map((row) =>
      Object.fromEntries(row.split(",").map((field) => field.split(":")))
    );
    assert.equal(rows.length, 200);
    for (const row of rows) {
      for (const [name, value] of Object.entries(row)) {
        if (!name.endsWith("_plain")) continue;
        assert.equal(row[name.replace("_plain", "_byte_stream_split")], value, name);
      }
    }
  },
});

Deno.test({
  ...options,
  name: "the LZ4 of Hadoop gives what the raw one gives",
  fn: async () => {
    const rows = async (name: string) => batchRows((await scanBytes([fixtureBytes(name)])).batches);
    assert.deepEqual(
      await rows("hadoop_lz4_compressed.parquet"),
      await rows("lz4_raw_compressed.parquet"),
    );
  },
});

Deno.test({
  ...options,
  name: "a geometry is its bytes, as DuckDB has them when it takes it for a blob",
  fn: async () => {
    const { connection, close } = await openDuckDb();
    try {
      await connection.run("set enable_geoparquet_conversion = false");
      const path = fixturePath("geoparquet.parquet");
      const { batches } = await scanBytes([fixtureBytes("geoparquet.parquet")]);
      assert.deepEqual(
        batchRows(batches),
        await duckRows(connection, `from read_parquet(${literal(path)})`),
      );
    } finally {
      close();
    }
  },
});

Deno.test({
  ...options,
  name: "a shredded variant is a struct of what is stored, marked as a variant",
  fn: async () => {
    const { schema, batches } = await scanBytes([fixtureBytes("shredded-int.parquet")]);
    const field = schema.fields.find(({ name }) => name === "var")!;
    assert.equal(field.metadata.get("ARROW:extension:name"), "arrow.parquet.variant");
    assert.deepEqual(batchRows(batches), [
      "id:1,var:{metadata:x010000,value:null,typed_value:12345}",
    ]);
  },
});
