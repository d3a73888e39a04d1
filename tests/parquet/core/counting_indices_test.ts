/** Dictionaries whose every entry has one value, for which the merge takes the dictionary instead of the indices. */
import { strict as assert } from "node:assert";
import { WasmPool } from "../../../shared/parquet/merge/decode/wasm_pool.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { mergeBytes } from "./merge_bytes.ts";

/** Around the ends of groups of 8, of words of 64 bits, of arrow-rs's runs of 504, and of widths up to 15 bits and over. */
const counts = [1, 2, 3, 7, 8, 9, 63, 65, 255, 256, 257, 504, 505, 1025, 8193, 32767, 32769];

/**
 * Columns that count, that do but for the last value or from the middle on, with nulls between, and in lists; of 4, 8 and
 * 16 bytes and of texts.
 */
function select(count: number, from: number): string {
  const unique = `(i * 7919 % 1000003 + ${from})`;
  return `select ${unique}::integer as i4, ${unique}::bigint as i8, ${unique}::decimal(30, 2) as i16,
    'a text of some length ' || ${unique} as t,
    case when i = ${count - 1} then 0 else i end::integer as last,
    case when i < ${count} / 2 then i else i - 1 end::integer as middle,
    case when i % 5 = 2 then null else ${unique}::bigint end as n,
    case when i % 3 = 0 then [] else [${unique}, -${unique}] end as l
    from range(${count}) r(i)`;
}

Deno.test("dictionaries of values that do not repeat are merged to the rows that they hold", async () => {
  const pool = await WasmPool.open();
  for (const count of counts) {
    const files = await Promise.all(
      [0, 500_000].map(async (from) =>
        pool.rewrite(await writeWithDuckDb(select(count, from)), {
          codec: "snappy",
          dictionary: true,
          pageBytes: 1024 * 1024,
          statistics: true,
        })
      ),
    );
    const { result, output } = await mergeBytes(files, 2 * count);
    assert.equal(result.rowCount, 2 * count);
    // Key by key: Deno 2.1's deepEqual looks for each key of a Map through all of them, here for minutes.
    const [found, sent] = [await rowsOfBytes(output), await rowsOfBytes(...files)];
    assert.equal(found.size, sent.size, `${count} rows`);
    assert.deepEqual([...sent].filter(([row, n]) => found.get(row) !== n), [], `${count} rows`);
  }
});
