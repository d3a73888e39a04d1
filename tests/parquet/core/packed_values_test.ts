/** Values that came by snappy and stand in the output as they came, page by page and for a part of a page. */
import { strict as assert } from "node:assert";
import { codec } from "../../../shared/parquet/format/metadata.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { WasmPool } from "../../../shared/parquet/merge/decode/wasm_pool.ts";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { mergeBytes, paths } from "./merge_bytes.ts";

/** Columns that snappy makes smaller and whose values do not repeat: of 4, 8 and 16 bytes, texts, with nulls, in lists. */
function select(rows: number, from: number): string {
  const i = `(i + ${from})`;
  return `select (${i} * 3)::integer as i4, ${i}::bigint as i8, (${i} * 7)::decimal(30, 2) as i16,
    'a text with the number ' || ${i} as t,
    case when i % 5 = 2 then null else ${i}::bigint end as n,
    case when i % 3 = 0 then null else 'one that may be missing ' || ${i} end as tn,
    case when i % 4 = 0 then [] else [${i}, ${i} + 1] end as l
    from range(${rows}) r(i)`;
}

const writeWasm = async (query: string, dictionary: boolean): Promise<Uint8Array> =>
  (await WasmPool.open()).rewrite(await writeWithDuckDb(query), {
    codec: "snappy",
    dictionary,
    pageBytes: 16 * 1024 * 1024,
    statistics: true,
  });

const writers: Record<string, (query: string) => Promise<Uint8Array>> = {
  "dictionaries": (query) => writeWasm(query, true),
  "PLAIN pages": (query) => writeWasm(query, false),
  "V2 pages": (query) =>
    writeWithDuckDb(query, "format parquet, parquet_version v2, compression snappy"),
};

for (const [name, write] of Object.entries(writers)) {
  Deno.test(`${name} that came by snappy are merged to the rows that they hold`, async () => {
    const rows = [5_000, 300, 7_001];
    const files = await Promise.all(rows.map((count, k) => write(select(count, k * 100_000))));
    const expected = await rowsOfBytes(...files);
    const total = rows.reduce((sum, count) => sum + count, 0);
    // pages of 700 rows hold no stretch as a whole, those of 8,000 one and a part of the next
    const ways = [...Object.entries(paths), ["in pages of 8,000 rows", {
      pageRows: 8_000,
    }]] as const;
    for (const [way, settings] of ways) {
      const { result, output } = await mergeBytes(files, total, { settings });
      assert.equal(result.rowCount, total);
      assert.deepEqual(await rowsOfBytes(output), expected, way);
      // every page is decoded, which must have the length and the values that it declares
      await checkValues(output, inspectParquetBytes(output));
    }
  });
}

Deno.test("what a page takes over as it came stays compressed as it was", async () => {
  const files = await Promise.all(
    [0, 1].map((k) =>
      writers.dictionaries(`select i + ${k * 50_000}::bigint as id from range(20000) r(i)`)
    ),
  );
  const packed = (bytes: Uint8Array) => {
    const { metaData } = footerOfBytes(bytes).metadata.rowGroups[0].columns[0];
    const start = metaData!.dictionaryPageOffset || metaData!.dataPageOffset;
    assert.equal(metaData!.codec, codec.SNAPPY);
    return new TextDecoder("latin1").decode(
      bytes.subarray(start, start + metaData!.totalCompressedSize),
    );
  };
  const { output } = await mergeBytes(files, 40_000);
  const merged = packed(output);
  // the second file's: of the first its writer's choice of a dictionary is looked at
  const elements = packed(files[1]).slice(200, 2_000);
  assert.ok(merged.includes(elements));
});

Deno.test("of a file that breaks after its values were taken over nothing is left", async () => {
  const good = await writers.dictionaries(select(9_000, 0));
  const bad = (await writers.dictionaries(select(9_000, 500_000))).slice();
  const { metadata } = footerOfBytes(bad);
  const last = metadata.rowGroups[0].columns.at(-1)!.metaData!;
  bad.fill(0xff, last.dataPageOffset + 40, last.dataPageOffset + 400);
  const { result, output } = await mergeBytes([good, bad, good], 27_000);
  assert.deepEqual(result.merged, ["file0", "file2"]);
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(good, good));
});
