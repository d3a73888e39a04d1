import { strict as assert } from "node:assert";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { merge } from "../../shared/parquet/merge/merge.ts";
import { bytesReader } from "../../shared/parquet/format/range_reader.ts";
import { doubled, openDuckDb, rowsOf } from "./duckdb_rows.ts";
import { fixtureBytes, fixtureNames, fixturePath, hasFixtures } from "./fixtures.ts";
import { MemorySink } from "./memory_sink.ts";
import { hyparquetRows } from "./hyparquet_rows.ts";

/**
 * All fixtures are accepted. DuckDB reads all but two, and where it doesn't its answer comes from elsewhere:
 * BYTE_STREAM_SPLIT of integers from hyparquet; the Hadoop framing of LZ4 from the file of the same rows in
 * LZ4_RAW (both are of apache/parquet-testing).
 */
const byHyparquet = "byte_stream_split_extended.gzip.parquet";
const twins: Record<string, string> = {
  "hadoop_lz4_compressed.parquet": "lz4_raw_compressed.parquet",
};

const target = { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" as const };

async function mergeTwice(bytes: Uint8Array) {
  const { rowCount } = inspectParquetBytes(bytes);
  const sink = new MemorySink();
  const result = await merge(
    {
      inputs: [{ id: "one", level: 0 }, { id: "two", level: 0 }],
      target,
      expectedRows: 2 * rowCount,
    },
    new Map([["one", bytesReader(bytes)], ["two", bytesReader(bytes)]]),
    sink,
  );
  return { result, output: sink.bytes(), rowCount };
}

for (const name of fixtureNames()) {
  Deno.test({
    name: `${name} merged with itself holds its rows twice, with the same types`,
    ignore: !hasFixtures,
    fn: async () => {
      const bytes = fixtureBytes(name);
      const { result, output, rowCount } = await mergeTwice(bytes);
      assert.deepEqual(result.rejected, []);
      assert.equal(result.rowCount, 2 * rowCount);
      assert.equal(result.byteLength, output.length);
      const facts = inspectParquetBytes(output);
      assert.equal(facts.rowCount, 2 * rowCount);
      assert.equal(facts.schemaFingerprint, inspectParquetBytes(bytes).schemaFingerprint);
      if (name === byHyparquet) {
        assert.deepEqual(await hyparquetRows(output), doubled(await hyparquetRows(bytes)));
        return;
      }
      const path = await Deno.makeTempFile({ suffix: ".parquet" });
      const { connection, close } = await openDuckDb();
      try {
        await Deno.writeFile(path, output);
        const original = fixturePath(twins[name] ?? name);
        assert.deepEqual(
          await rowsOf(connection, `from read_parquet('${path}')`),
          doubled(await rowsOf(connection, `from read_parquet('${original}')`)),
        );
        assert.deepEqual(
          await rowsOf(connection, `describe from read_parquet('${path}')`),
          await rowsOf(connection, `describe from read_parquet('${original}')`),
        );
      } finally {
        close();
        await Deno.remove(path);
      }
    },
  });
}
