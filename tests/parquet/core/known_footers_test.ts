import { strict as assert } from "node:assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import { mergeBytes } from "./merge_bytes.ts";

const wide = 60;

/** A file of many columns with key-values of its own, so that its footer is like no other's. */
function fileOf(n: number): Uint8Array {
  return new Uint8Array(parquetWriteBuffer({
    columnData: Array.from({ length: wide }, (_, column) => ({
      name: `column_${column}`,
      data: [n, column],
      type: "INT32" as const,
    })),
    codec: "UNCOMPRESSED",
    kvMetadata: [{ key: "run", value: `${n} `.repeat(2000) }],
  }));
}

Deno.test("footers that no other file has do not use up the kernels' memory", async () => {
  const files = Array.from({ length: 500 }, (_, n) => fileOf(n));
  // the files' footers take 8 MiB
  const kernels = { memoryBytes: 4 << 20 };
  for (const settings of [{}, { wholeFileBytes: 0, healthyBytes: Infinity }]) {
    const { result } = await mergeBytes(files, 1000, { kernels, settings });
    assert.deepEqual(result.rejected, []);
    assert.equal(result.rowCount, 1000);
    // the memory is enough for rows to wait until a row group is worth writing
    assert.ok(
      result.rowGroupCount <= (settings.wholeFileBytes === 0 ? 500 : 1),
      String(result.rowGroupCount),
    );
  }
});

Deno.test("a file with as many key-values as a footer may have is merged again and again", async () => {
  const values = [{ key: "run", value: "x".repeat(300_000) }];
  const file = new Uint8Array(
    parquetWriteBuffer({
      columnData: [{ name: "n", data: [1, 2], type: "INT32" }],
      kvMetadata: values,
    }),
  );
  const { result } = await mergeBytes([file, file, file], 6);
  assert.equal(result.rowCount, 6);
});
