import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import { avroFile, codecs } from "./avro_writer.ts";
import { randomFiles } from "./random_files.ts";
import { ParquetReader } from "./read_parquet.ts";

Deno.test("whatever avsc writes, under any codec and in any blocks, DuckDB reads as the same values", async () => {
  const reader = await ParquetReader.open();
  try {
    await fc.assert(
      fc.asyncProperty(
        randomFiles(),
        fc.constantFrom(...codecs),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        async ({ schema, values, expected }, codec, rowsPerBlock, smallGroups) => {
          const file = avroFile(schema, values, codec, rowsPerBlock);
          const limits = smallGroups ? { rowGroupBytes: 200 } : undefined;
          const read = await reader.convert(file, { limits });
          assert.equal(read.rowCount, values.length);
          assert.deepEqual(read.rows, expected);
          if (smallGroups && values.length > 20) assert(read.rowGroupCount > 1);
        },
      ),
      { numRuns: 250 },
    );
  } finally {
    await reader.close();
  }
});
