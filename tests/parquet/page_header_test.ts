import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import { SedimentError } from "../../shared/errors.ts";
import { encoding, pageType } from "../../shared/parquet/format/metadata.ts";
import { type PageHeader, readPageHeader } from "../../shared/parquet/format/page_header.ts";
import { writePageHeader } from "./write_page_header.ts";
import {
  readColumnIndex,
  readOffsetIndex,
  writeColumnIndex,
  writeOffsetIndex,
} from "../../shared/parquet/format/page_index.ts";
import { ThriftWriter } from "../../shared/parquet/format/thrift/thrift_writer.ts";

const int = fc.nat({ max: 2 ** 31 - 1 });
const known = fc.constantFrom<number>(...Object.values(encoding));
const blank = {
  numNulls: 0,
  numRows: 0,
  definitionLevelsLength: 0,
  repetitionLevelsLength: 0,
  definitionLevelEncoding: encoding.RLE as number,
  repetitionLevelEncoding: encoding.RLE as number,
  isCompressed: true,
  isSorted: false,
};
const common = {
  uncompressedSize: int,
  compressedSize: int,
  crc: fc.oneof(fc.constant(-1), fc.nat({ max: 2 ** 32 - 1 })),
  numValues: int,
  encoding: known,
};
const header = fc.oneof(
  fc.record({
    type: fc.constant(pageType.DATA_PAGE),
    ...common,
    definitionLevelEncoding: known,
    repetitionLevelEncoding: known,
  }),
  fc.record({ type: fc.constant(pageType.DICTIONARY_PAGE), ...common, isSorted: fc.boolean() }),
  fc.record({
    type: fc.constant(pageType.DATA_PAGE_V2),
    ...common,
    numNulls: int,
    numRows: int,
    definitionLevelsLength: int,
    repetitionLevelsLength: int,
    isCompressed: fc.boolean(),
  }),
).map((some): PageHeader => ({ ...blank, headerLength: 0, ...some }));

Deno.test("a page header that was written is read back, wherever it stands", () => {
  fc.assert(fc.property(header, fc.nat({ max: 40 }), (before, shift) => {
    const writer = new ThriftWriter(1);
    writePageHeader(writer, before);
    const bytes = new Uint8Array(shift + writer.length + 10);
    bytes.set(writer.view(), shift);
    const after = readPageHeader(bytes, shift);
    assert.deepEqual(after, { ...before, headerLength: writer.length });
  }));
});

Deno.test("any bytes are a page header or are refused as invalid", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    try {
      assert.ok(readPageHeader(bytes).headerLength <= bytes.length);
    } catch (error) {
      assert.ok(error instanceof SedimentError, String(error));
      assert.ok(["invalid_parquet", "unsupported_parquet"].includes(error.code), String(error));
    }
  }));
});

Deno.test("a header that lacks a field, has one twice, or one of another type, is refused", () => {
  // PageHeader {1: type 0, 2: size 8, 3: size 8, 5: {1: 2 values, 2: PLAIN, 3: RLE, 4: RLE}}
  const inner = [0x15, 4, 0x15, 0, 0x15, 6, 0x15, 6, 0];
  const good = [0x15, 0, 0x15, 16, 0x15, 16, 0x2c, ...inner, 0];
  assert.equal(readPageHeader(new Uint8Array(good)).numValues, 2);
  const bad: [number[], RegExp][] = [
    [[0x15, 0, 0x15, 16, 0x3c, ...inner, 0], /lacks the field 3/],
    [[0x15, 0, 0x15, 16, 0x16, 16, 0x2c, ...inner, 0], /field 3 .* has type 6, 5 was expected/],
    [[0x15, 0, 0x15, 16, 0x15, 16, 0x05, 6, 16, 0x2c, ...inner, 0], /field 3 .* there twice/],
    [[0x15, 0, 0x15, 16, 0x15, 16, 0x2c, 0x15, 4, 0x15, 0, 0x15, 6, 0, 0], /lacks the field 4/],
    [[0x15, 8, 0x15, 16, 0x15, 16, 0x2c, ...inner, 0], /the page type 4 is not known/],
    [[0x15, 0, 0x15, 16, 0x15, 16, 0x2c, 0x15, 4, 0x15, 2, 0x15, 6, 0x15, 6, 0, 0], /encoding 1 /],
  ];
  for (const [bytes, message] of bad) {
    assert.throws(() => readPageHeader(new Uint8Array(bytes)), message);
  }
});

Deno.test("a header cut at any byte is refused", () => {
  fc.assert(fc.property(header, (before) => {
    const writer = new ThriftWriter();
    writePageHeader(writer, before);
    for (let end = 0; end < writer.length; end++) {
      assert.throws(() => readPageHeader(writer.view(), 0, end), SedimentError);
    }
  }));
});

Deno.test("a page index that was written is read back", () => {
  const longs = fc.option(fc.array(fc.nat({ max: 2 ** 40 }), { maxLength: 5 }), { nil: undefined });
  const pages = fc.array(fc.record({ offset: int, compressedPageSize: int, firstRowIndex: int }));
  const offsets = fc.record({ pages, unencodedByteArrayDataBytes: longs });
  fc.assert(fc.property(offsets, (index) => {
    const writer = new ThriftWriter(1);
    writeOffsetIndex(writer, index);
    assert.deepEqual(readOffsetIndex(writer.view()), structuredClone(index));
  }));
  const value = fc.uint8Array({ maxLength: 9 });
  const columns = fc.array(fc.tuple(fc.boolean(), value, value)).chain((pages) =>
    fc.record({
      nullPages: fc.constant(pages.map(([isNull]) => isNull)),
      minValues: fc.constant(pages.map(([_, min]) => min)),
      maxValues: fc.constant(pages.map(([_isNull, _min, max]) => max)),
      boundaryOrder: fc.nat({ max: 2 }),
      nullCounts: longs,
      repetitionLevelHistograms: longs,
      definitionLevelHistograms: longs,
    })
  );
  fc.assert(fc.property(columns, (index) => {
    const writer = new ThriftWriter(1);
    writeColumnIndex(writer, index);
    assert.deepEqual(readColumnIndex(writer.view()), structuredClone(index));
  }));
});
