import { strict as assert } from "node:assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import fc from "../support/fast_check.ts";
import { SedimentError } from "../../shared/errors.ts";
import { footerBytes, footerOfBytes } from "../../shared/parquet/format/footer.ts";
import {
  inspectInTurns,
  inspectParquet,
  inspectParquetBytes,
  inspectRangesInTurns,
} from "../../shared/parquet/inspect/inspect.ts";
import {
  codec,
  encoding,
  type FileMetaData,
  pageType,
} from "../../shared/parquet/format/metadata.ts";
import { type PageHeader } from "../../shared/parquet/format/page_header.ts";
import { writePageHeader } from "./write_page_header.ts";
import { bytesReader } from "../../shared/parquet/format/range_reader.ts";
import { ThriftWriter } from "../../shared/parquet/format/thrift/thrift_writer.ts";
import { fixtureBytes, fixtureNames, hasFixtures } from "./fixtures.ts";
import { mixedRows, writeWithDuckDb } from "./sample_files.ts";
import { withFooter } from "./with_footer.ts";

const small = await writeWithDuckDb(
  "select i::bigint as id, 'x' || (i % 3) as s, [i, i + 1] as l from range(10) t(i)",
);

/** A file of one required INT64 column and one page with the header as given. */
function withPage(change: Partial<PageHeader>, body = new Uint8Array(24), rows = 3): Uint8Array {
  const writer = new ThriftWriter();
  writePageHeader(writer, {
    type: pageType.DATA_PAGE,
    uncompressedSize: body.length,
    compressedSize: body.length,
    crc: -1,
    numValues: rows,
    encoding: encoding.PLAIN,
    definitionLevelEncoding: encoding.RLE,
    repetitionLevelEncoding: encoding.RLE,
    numNulls: 0,
    numRows: rows,
    definitionLevelsLength: 0,
    repetitionLevelsLength: 0,
    isCompressed: true,
    isSorted: false,
    headerLength: 0,
    ...change,
  });
  const pages = new Uint8Array(4 + writer.length + body.length);
  pages.set([0x50, 0x41, 0x52, 0x31]);
  pages.set(writer.view(), 4);
  pages.set(body, 4 + writer.length);
  const { metadata } = footerOfBytes(small);
  const chunk = metadata.rowGroups[0].columns[0];
  Object.assign(chunk.metaData!, {
    codec: codec.UNCOMPRESSED,
    numValues: rows,
    dataPageOffset: 4,
    dictionaryPageOffset: undefined,
    totalCompressedSize: pages.length - 4,
    totalUncompressedSize: pages.length - 4,
    statistics: undefined,
    bloomFilterOffset: undefined,
  });
  metadata.schema = [{ ...metadata.schema[0], numChildren: 1 }, {
    ...metadata.schema[1],
    repetition: 0,
  }];
  metadata.rowGroups[0].columns = [chunk];
  metadata.rowGroups[0].numRows = rows;
  metadata.numRows = rows;
  metadata.columnOrders = undefined;
  const footer = footerBytes(metadata);
  const file = new Uint8Array(pages.length + footer.length);
  file.set(pages);
  file.set(footer, pages.length);
  return file;
}

function refusal(file: Uint8Array): SedimentError {
  try {
    inspectParquetBytes(file);
  } catch (error) {
    assert.ok(error instanceof SedimentError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "the file was accepted" });
}

for (const name of fixtureNames()) {
  Deno.test({
    name: `${name} is accepted, from bytes and by ranges alike`,
    ignore: !hasFixtures,
    fn: async () => {
      const bytes = fixtureBytes(name);
      const facts = inspectParquetBytes(bytes);
      const byRanges = await inspectParquet(bytesReader(bytes));
      // what pages weigh is only guessed where their headers are not read
      if (byRanges.mergeFacts !== null && facts.mergeFacts !== null) {
        const { page, pages } = facts.mergeFacts;
        Object.assign(byRanges.mergeFacts, { page, pages });
      }
      assert.deepEqual({ ...byRanges, decode: facts.decode }, facts);
      assert.match(facts.schemaFingerprint, /^[0-9a-f]{64}$/);
      assert.ok(JSON.stringify(facts.stats).length < 12_000);
    },
  });
}

Deno.test("the facts of a file are what its writer was told", async () => {
  const file = await writeWithDuckDb(
    `select (i - 5)::bigint as id, case when i < 4 then null else i / 2 end as f,
      'k' || i as s, i::uinteger as u, 9007199254740993 + i as big, i::decimal(9,2) as d
      from range(5000) t(i)`,
    "format parquet, row_group_size 2048",
  );
  const facts = inspectParquetBytes(file);
  assert.equal(facts.rowCount, 5000);
  assert.equal(facts.rowGroupCount, 3);
  assert.ok(facts.compressedBytes > 0 && facts.compressedBytes < file.length);
  assert.ok(facts.uncompressedBytes >= facts.compressedBytes);
  assert.match(facts.createdBy!, /^DuckDB/);
  assert.deepEqual(JSON.parse(JSON.stringify(facts.stats)), {
    id: { min: -5, max: 4994, nulls: 0 },
    f: { min: 2, max: 2499.5, nulls: 4 },
    s: { min: "k0", max: "k999", nulls: 0 },
    u: { min: 0, max: 4999, nulls: 0 },
    big: { min: "9007199254740993", max: "9007199254745992", nulls: 0 },
    d: { min: 0, max: 499900, nulls: 0 },
  });
});

Deno.test("a column named __proto__ has statistics like any other", async () => {
  const file = await writeWithDuckDb(`select 1 as "__proto__"`);
  const { stats } = inspectParquetBytes(file);
  assert.deepEqual(Object.keys(stats), ["__proto__"]);
  assert.equal(({} as Record<string, unknown>).min, undefined);
});

Deno.test("a footer that lies is refused with the place of the lie", () => {
  type Lie = [string, RegExp, (metadata: FileMetaData) => void];
  const chunkOf = (metadata: FileMetaData) => metadata.rowGroups[0].columns[1];
  const metaOf = (metadata: FileMetaData) => chunkOf(metadata).metaData!;
  const lies: Lie[] = [
    ["unsupported_parquet", /another file/, (m) => chunkOf(m).filePath = "other.parquet"],
    ["unsupported_parquet", /codec 3/, (m) => metaOf(m).codec = codec.LZO],
    ["unsupported_parquet", /codec 8/, (m) => metaOf(m).codec = 8],
    ["invalid_parquet", /no metadata/, (m) => chunkOf(m).metaData = undefined],
    ["invalid_parquet", /2 column chunks/, (m) => m.rowGroups[0].columns.pop()],
    ["invalid_parquet", /9 values/, (m) => metaOf(m).numValues = 9],
    ["invalid_parquet", /10 values/, (m) => m.rowGroups[0].numRows = 9],
    ["invalid_parquet", /outside of \[4,/, (m) => metaOf(m).totalCompressedSize = 1e6],
    ["invalid_parquet", /outside of \[4,/, (m) => metaOf(m).dataPageOffset = 2 ** 52],
    ["invalid_parquet", /outside of \[4,/, (m) => metaOf(m).dictionaryPageOffset = 3],
    ["invalid_parquet", /overlap/, (m) =>
      m.rowGroups[0].columns[0] = {
        ...m.rowGroups[0].columns[0],
        metaData: {
          ...m.rowGroups[0].columns[0].metaData!,
          dataPageOffset: metaOf(m).dataPageOffset,
          dictionaryPageOffset: metaOf(m).dictionaryPageOffset,
        },
      }],
    ["invalid_parquet", /overlap/, (m) => m.rowGroups.push(m.rowGroups[0])],
    ["invalid_parquet", /physical type 1/, (m) => metaOf(m).type = 1],
    ["invalid_parquet", /chunk is of column other/, (m) => metaOf(m).path = ["other"]],
  ];
  for (const [code, message, lie] of lies) {
    const error = refusal(withFooter(small, lie));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
  }
  const error = refusal(withFooter(small, (m) => metaOf(m).numValues = 9));
  assert.deepEqual(error.extra, { row_group: 0, column: ["s"] });
});

Deno.test("page indexes and Bloom filters outside of the file are no reason to refuse it", () => {
  const file = withFooter(small, ({ rowGroups }) => {
    const [, chunk] = rowGroups[0].columns;
    chunk.offsetIndexOffset = 10;
    chunk.offsetIndexLength = 1e6;
    chunk.columnIndexOffset = -1;
    chunk.columnIndexLength = 7;
    chunk.metaData!.bloomFilterOffset = 1e9;
  });
  assert.equal(inspectParquetBytes(file).rowCount, 10);
});

Deno.test("row groups' rows win over the footer's own count", () => {
  assert.equal(inspectParquetBytes(withFooter(small, (m) => m.numRows = 77)).rowCount, 10);
});

Deno.test("a page that lies is refused with its row group, column and number", () => {
  assert.equal(inspectParquetBytes(withPage({})).rowCount, 3);
  const pageRefusal = (change: Partial<PageHeader>, code: string, message: RegExp) => {
    const error = refusal(withPage(change));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.deepEqual(error.extra, { row_group: 0, column: ["id"], page: 0 });
  };
  pageRefusal({ uncompressedSize: 2 ** 30 }, "page_too_large", /1073741824 bytes/);
  pageRefusal({ compressedSize: 2 ** 30 }, "page_too_large", /1073741824 bytes/);
  pageRefusal({ compressedSize: 25 }, "invalid_parquet", /24 are left/);
  pageRefusal({ uncompressedSize: 32 }, "invalid_parquet", /not compressed/);
  pageRefusal({ numValues: 4 }, "invalid_parquet", /4 values and more/);
  pageRefusal({ numValues: 2 ** 30 }, "page_too_large", /1073741824 values/);
  pageRefusal({ encoding: 1 }, "unsupported_parquet", /encoding 1/);
  pageRefusal({ encoding: 77 }, "unsupported_parquet", /encoding 77/);
  pageRefusal({ encoding: encoding.RLE_DICTIONARY }, "invalid_parquet", /without a dictionary/);
  pageRefusal({ crc: 12345 }, "invalid_parquet", /CRC/);
  pageRefusal(
    { type: pageType.DICTIONARY_PAGE, numValues: 2 ** 30 },
    "invalid_parquet",
    /1073741824 entries in 24 bytes/,
  );
  const v2 = { type: pageType.DATA_PAGE_V2, isCompressed: false };
  // rows and nulls are counted by the levels
  assert.equal(inspectParquetBytes(withPage({ ...v2, numRows: 9, numNulls: -1 })).rowCount, 3);
  pageRefusal({ ...v2, definitionLevelsLength: 25 }, "invalid_parquet", /levels take 25 bytes/);
  const few = refusal(withPage({ numValues: 2 }));
  assert.match(few.message, /end after 2 of 3 values/);
});

Deno.test("a chunk of billions of nulls in a few bytes is refused by the count of values", () => {
  const error = refusal(withFooter(small, (m) => {
    m.rowGroups[0].numRows = 2 ** 30;
    for (const { metaData } of m.rowGroups[0].columns) metaData!.numValues = 2 ** 30;
  }));
  assert.equal(error.code, "unsupported_parquet");
  assert.match(error.message, /over the 1073741824 allowed/);
});

Deno.test("every prefix of a file is refused", () => {
  for (let end = 0; end < small.length; end++) refusal(small.subarray(0, end));
});

Deno.test("a changed byte leaves a file accepted or refused by name, within the limits", async () => {
  const file = await writeWithDuckDb(mixedRows(0, 40));
  const mutations = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(mutations, (mutations) => {
      const mutant = file.slice();
      for (const [where, byte] of mutations) mutant[where % mutant.length] = byte;
      try {
        const facts = inspectParquetBytes(mutant);
        assert.ok(facts.compressedBytes <= mutant.length);
      } catch (error) {
        assert.ok(error instanceof SedimentError, String(error));
        assert.match(
          error.code,
          /^(not_parquet|invalid_parquet|unsupported_parquet|page_too_large)$/,
        );
      }
    }),
    { numRuns: 1500 },
  );
});

Deno.test("bounds are kept as far as sixteen kilobytes of text go, also where names are long as text only", () => {
  const names = Array.from({ length: 64 }, (_, n) => `${n}_${"\u0001".repeat(600)}`);
  const bytes = new Uint8Array(parquetWriteBuffer({
    columnData: names.map((name) => ({ name, data: [1], type: "INT32" as const })),
    codec: "UNCOMPRESSED",
  }));
  const text = JSON.stringify(inspectParquetBytes(bytes).stats);
  assert.ok(text.length > 10_000 && text.length < 17_000, String(text.length));
});

Deno.test("text bounds hold all values and no more than twelve characters after what they have in common", async () => {
  const text = fc.string({ maxLength: 60, unit: "grapheme-ascii" });
  const columns = fc.sample(fc.tuple(text, text, text), 200).map(([head, one, other]) =>
    [head + one, head + other].sort()
  );
  columns.push(
    ["note 12148 about order 4 ok", "note 9424 about order 10 ok"],
    ["a", "b" + "~".repeat(60)],
    ["same", "same"],
  );
  const literals = (row: number) =>
    columns.map((column, n) => `'${column[row].replaceAll("'", "''")}' as c${n}`).join(", ");
  const { stats } = inspectParquetBytes(
    await writeWithDuckDb(`select ${literals(0)} union all select ${literals(1)}`),
  );
  let known = 0;
  for (const [name, { min, max }] of Object.entries(stats)) {
    if (typeof min !== "string" || typeof max !== "string") continue;
    known++;
    const [low, high] = columns[Number(name.slice(1))];
    assert.ok(min <= low && high <= max, JSON.stringify([min, low, high, max]));
    let same = 0;
    while (same < low.length && low[same] === high[same]) same++;
    const most = Math.min(same + 12, 48);
    assert.ok(min.length <= most && max.length <= most, JSON.stringify([min, max]));
  }
  assert.ok(known > 50, String(known));
});

/** What an inspection comes to: its facts, or that it refuses. */
async function outcome(facts: () => unknown): Promise<unknown> {
  try {
    const { footer: _, tree: __, chunks, ...more } = await facts() as Awaited<
      ReturnType<typeof inspectParquet>
    >;
    const { groups } = chunks;
    const places = Array.from(
      { length: chunks.chunks },
      (_, i) => [chunks.start(i), chunks.length(i), chunks.values(i), chunks.codec(i)],
    );
    return { ...more, places, rows: Array.from({ length: groups }, (_, i) => chunks.rows(i)) };
  } catch (error) {
    if (!(error instanceof SedimentError)) throw error;
    return "refused";
  }
}

Deno.test("row groups that are read one after another tell what those tell that are read together, of broken files too", async () => {
  const many = new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "n", data: Array.from({ length: 300 }, (_, i) => i), type: "INT32" as const },
      { name: "s", data: Array.from({ length: 300 }, (_, i) => `s${i % 7}`) },
    ],
    rowGroupSize: 20,
  }));
  const { start } = inspectParquetBytes(many).footer;
  const both = async (file: Uint8Array) => {
    const [together, inTurns] = await Promise.all([
      outcome(() => inspectParquetBytes(file)),
      outcome(() => inspectInTurns(file, () => undefined)),
    ]);
    assert.deepEqual(inTurns, together);
    const [all, ranges] = await Promise.all([
      outcome(() => inspectParquet(bytesReader(file))),
      outcome(() => inspectRangesInTurns(bytesReader(file), () => undefined, () => 0)),
    ]);
    assert.deepEqual(ranges, all);
    return together;
  };
  for (const file of [many, small, ...fixtureNames().map(fixtureBytes)]) await both(file);
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: start, max: many.length - 9 }),
      fc.integer({ min: 0, max: 255 }),
      async (at, byte) => {
        const broken = many.slice();
        broken[at] = byte;
        if (await both(broken) === "refused") refused++;
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(refused > 30, `${refused} of 300 were refused`);
});

Deno.test("what is kept of a file of thousands of row groups is numbers, not its footer", async () => {
  const data = Array.from({ length: 5_000 }, (_, n) => n);
  const columnData = [{ name: "n", data, type: "INT32" as const }];
  const file = new Uint8Array(
    parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED", rowGroupSize: 1 }),
  );
  let steps = 0;
  const facts = await inspectInTurns(file, () => void steps++);
  assert.deepEqual([facts.chunks.groups, facts.chunks.chunks], [5_000, 5_000]);
  assert.ok(!("footer" in facts));
  assert.ok(steps > 60, `it came back ${steps} times`);
});
