import { strict as assert } from "node:assert";
import { footerOfBytes } from "../../shared/parquet/format/footer.ts";
import { inspectParquet, inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { encoding } from "../../shared/parquet/format/metadata.ts";
import { mergeFacts } from "../../shared/parquet/inspect/merge_facts.ts";
import { heaviestPages } from "../../shared/parquet/inspect/page_weights.ts";
import { bytesReader } from "../../shared/parquet/format/range_reader.ts";
import { schemaTree } from "../../shared/parquet/format/schema.ts";
import { withFooter } from "./with_footer.ts";
import { writeWithDuckDb } from "./sample_files.ts";

const small = "select i::bigint as id, [i, i + 1, i + 2] as l from range(100) t(i)";
const texts = (rows: number) =>
  `select i as id, md5(i::varchar) || md5((i + 1)::varchar) as s from range(${rows}) t(i)`;

Deno.test("the values of lists are counted one by one", async () => {
  const { valueCount } = inspectParquetBytes(await writeWithDuckDb(small));
  assert.equal(valueCount, 100 + 300);
});

Deno.test("of a small file that the kernels can read there is nothing to tell", async () => {
  const bytes = await writeWithDuckDb(small);
  assert.equal(inspectParquetBytes(bytes).mergeFacts, null);
  assert.equal((await inspectParquet(bytesReader(bytes))).mergeFacts, null);
});

Deno.test("a codec of the host's is told with the bytes that its pages unpack to", async () => {
  for (const codec of ["gzip", "brotli", "zstd"]) {
    const bytes = await writeWithDuckDb(small, `format parquet, compression ${codec}`);
    const { mergeFacts, uncompressedBytes, compressedBytes } = inspectParquetBytes(bytes);
    assert.equal(mergeFacts?.sums.length, 1);
    const { largest_chunk, ...sums } = mergeFacts.sums[0];
    assert.deepEqual(sums, {
      healthy: false,
      codec,
      chunks: 2,
      values: 400,
      bytes: compressedBytes,
      plain_bytes: uncompressedBytes,
    });
    assert.ok(largest_chunk < uncompressedBytes);
  }
});

Deno.test("row groups large enough to be copied are told apart from the others of a file", async () => {
  const bytes = await writeWithDuckDb(texts(130_000), "format parquet, row_group_size 100000");
  const { rowGroups } = footerOfBytes(bytes).metadata;
  const facts = inspectParquetBytes(bytes).mergeFacts!;
  assert.deepEqual(facts.sums.map(({ healthy, chunks, values }) => [healthy, chunks, values]), [
    [true, 2, 2 * 100_352],
    [false, 2, 2 * 29_648],
  ]);
  assert.equal(facts.largest_group, rowGroups[0].totalByteSize);
});

Deno.test("pages weigh their bytes and their values, heavy ones of the columns of a row group together", async () => {
  const query = "select i % 7 as n, md5(i::varchar) || md5((i + 1)::varchar) as s, " +
    "md5((i + 2)::varchar) as t from range(100352) t(i)";
  const bytes = await writeWithDuckDb(query, "format parquet, row_group_size 200000");
  const { page, pages } = inspectParquetBytes(bytes).mergeFacts!;
  // 4 bytes of length before each text; DuckDB makes one page of a chunk
  const rows = 100_352, s = 68 + 32, t = 36 + 32;
  assert.ok(page > rows * s && page < rows * (s + 2), String(page));
  assert.ok(pages > rows * (s + t) && pages < rows * (s + t + 4), String(pages));
});

Deno.test("pages that only a footer tells of are taken for even, and for one where it counts none", async () => {
  const bytes = await writeWithDuckDb(texts(100_352), "format parquet, row_group_size 200000");
  const counted = (count: number) => {
    const { metadata } = footerOfBytes(withFooter(bytes, ({ rowGroups }) => {
      for (const { metaData } of rowGroups[0].columns) {
        metaData!.encodingStats = [{ pageType: 0, encoding: encoding.PLAIN, count }];
      }
    }));
    return heaviestPages(metadata).page;
  };
  const one = counted(1);
  assert.deepEqual([counted(0), counted(2), counted(10)], [one, one, Math.ceil(one / 5)]);
});

Deno.test("values that are indices of a dictionary weigh less", async () => {
  const page = async (query: string) => {
    const bytes = await writeWithDuckDb(query, "format parquet, row_group_size 2000000");
    return inspectParquetBytes(bytes).mergeFacts?.page ?? 0;
  };
  const different = await page("select i from range(1000000) t(i)");
  const equal = await page("select i % 7 as i from range(1000000) t(i)");
  assert.ok(different > 40_000_000 && equal > 6_000_000 && equal < 7_000_000, `${equal}`);
});

Deno.test("BIT_PACKED beside RLE says nothing of a flat column, which has one kind of levels", async () => {
  const bytes = await writeWithDuckDb(small);
  const packed = (encodings: number[]) => {
    const { metadata } = footerOfBytes(withFooter(bytes, ({ rowGroups }) => {
      for (const { metaData } of rowGroups[0].columns) metaData!.encodings = encodings;
    }));
    return mergeFacts(metadata, schemaTree(metadata.schema))?.sums
      .filter((one) => one.bit_packed).map(({ values }) => values);
  };
  const { PLAIN, RLE, BIT_PACKED } = encoding;
  assert.deepEqual(packed([PLAIN, RLE]), undefined);
  assert.deepEqual(packed([PLAIN, RLE, BIT_PACKED]), [300]);
  assert.deepEqual(packed([PLAIN, BIT_PACKED]), [400]);
});
