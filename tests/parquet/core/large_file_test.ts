/** Files that are too large to be held back, and how their rows become row groups. */
import { strict as assert } from "node:assert";
import { assumeHostLimits } from "../../support/host_limits.ts";
import { normalizer } from "../../../shared/parquet/merge/decode/normalize.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { groupBytes } from "../../../shared/parquet/merge/pages/large_group.ts";
import { mixedRows, rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { mergeBytes } from "./merge_bytes.ts";

Deno.test("row groups of a large file that are joined are closed at their size, not at the file's end", async () => {
  const file = await writeWithDuckDb(mixedRows(0, 40_000), "format parquet, row_group_size 4096");
  const { output } = await mergeBytes([file], 40_000, {
    settings: { wholeFileBytes: 0, healthyBytes: Infinity, rowGroupBytes: 500_000 },
  });
  const sizes = footerOfBytes(output).metadata.rowGroups.map(groupBytes);
  assert.ok(sizes.length > 3, `${sizes.length} row groups`);
  // one more of the file's may be in it, and rows that wait are counted before they are compressed
  assert.ok(sizes.every((size) => size < 1_000_000), sizes.join());
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(file));
});

Deno.test("small files that are decoded first share row groups like others", async () => {
  const files = await Promise.all(
    Array.from(
      { length: 5 },
      (_, n) => writeWithDuckDb(mixedRows(n * 50, 50), "format parquet, compression brotli"),
    ),
  );
  using _host = assumeHostLimits({ gzip: true, brotli: false });
  const { output, result } = await mergeBytes(files, 250, { normalize: normalizer() });
  assert.equal(result.merged.length, 5);
  assert.equal(footerOfBytes(output).metadata.rowGroups.length, 1);
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(...files));
});
