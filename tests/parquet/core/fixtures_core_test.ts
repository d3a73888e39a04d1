import { strict as assert } from "node:assert";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { doubled, openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { fixtureBytes, fixtureNames, fixturePath, hasFixtures } from "../fixtures.ts";
import { mergeBytes, type PathName, paths } from "./merge_bytes.ts";
import { hyparquetRows } from "../hyparquet_rows.ts";

/** DuckDB does not read BYTE_STREAM_SPLIT of integers; hyparquet does. */
const byHyparquet = "byte_stream_split_extended.gzip.parquet";
/** Of apache/parquet-testing: the same rows in a codec that DuckDB reads. */
const twins: Record<string, string> = {
  "hadoop_lz4_compressed.parquet": "lz4_raw_compressed.parquet",
};

for (const way of Object.keys(paths) as PathName[]) {
  for (const codec of ["snappy", "zstd"] as const) {
    if (way === "copied" && codec === "zstd") continue;
    Deno.test({
      name: `every fixture ${way} into ${codec} holds its rows twice`,
      ignore: !hasFixtures,
      fn: async () => {
        const { connection, close } = await openDuckDb();
        const path = await Deno.makeTempFile({ suffix: ".parquet" });
        try {
          for (const name of fixtureNames()) {
            // a copied chunk stays in a codec that DuckDB does not read
            if (way === "copied" && name in twins) continue;
            const bytes = fixtureBytes(name);
            const { rowCount, schemaFingerprint } = inspectParquetBytes(bytes);
            const { result, output } = await mergeBytes(
              [bytes, bytes],
              2 * rowCount,
              { settings: paths[way] },
              codec,
            );
            assert.deepEqual(result.rejected, [], name);
            assert.equal(result.rowCount, 2 * rowCount, name);
            assert.equal(result.byteLength, output.length, name);
            const facts = inspectParquetBytes(output);
            assert.equal(facts.schemaFingerprint, schemaFingerprint, name);
            if (name === byHyparquet) {
              if (codec === "zstd") continue;
              assert.deepEqual(await hyparquetRows(output), doubled(await hyparquetRows(bytes)));
              continue;
            }
            await Deno.writeFile(path, output);
            assert.deepEqual(
              await rowsOf(connection, `from read_parquet('${path}')`),
              doubled(
                await rowsOf(
                  connection,
                  `from read_parquet('${fixturePath(twins[name] ?? name)}')`,
                ),
              ),
              name,
            );
          }
        } finally {
          close();
          await Deno.remove(path);
        }
      },
    });
  }
}
