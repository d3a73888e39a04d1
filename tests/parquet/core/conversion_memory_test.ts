import { strict as assert } from "node:assert";
import { planByName } from "../../../shared/parquet/merge/union/plan_by_name.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { mergeBytes } from "./merge_bytes.ts";

Deno.test("a page too large to be widened is left out, and the rows that follow are theirs", async () => {
  const wide = await writeWithDuckDb("select i::bigint as a, -i as b from range(1000) r(i)");
  const narrow = await writeWithDuckDb(
    "select (i % 150 * 7)::integer as a, (2 * i)::bigint as b from range(1000) r(i)",
  );
  // plain: the values are hashes
  const large = await writeWithDuckDb(
    "select (hash(i) % 2000000000)::integer as a from range(400000) r(i)",
    "format parquet, compression uncompressed, row_group_size 1000000, dictionary_size_limit 0",
  );
  const files = [wide, narrow, large, narrow, wide, large, narrow, wide, narrow];
  const { result, output } = await mergeBytes(files, 1_000_000, {
    planSource: planByName,
    kernels: { memoryBytes: 5 << 20 },
  });
  assert.deepEqual(result.rejected.map(({ id, error }) => [id, error.code]), [
    ["file2", "page_too_large"],
    ["file5", "page_too_large"],
  ]);
  const good = files.filter((file) => file !== large);
  const alone = await mergeBytes(good, 7000, { planSource: planByName });
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(alone.output));
  assert.equal(result.rowCount, 7000);
});
