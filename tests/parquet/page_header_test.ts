import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import { SedimentError } from "../../shared/errors.ts";
import { encoding, pageType } from "../../shared/parquet/metadata.ts";
import {
  type PageHeader,
  readPageHeader,
  writePageHeader,
} from "../../shared/parquet/page_header.ts";
import {
  readColumnIndex,
  readOffsetIndex,
  writeColumnIndex,
  writeOffsetIndex,
} from "../../shared/parquet/page_index.ts";
import { ThriftWriter } from "../../shared/parquet/thrift.ts";

const int = fc.nat({ max: 2 ** 31 - 1 });
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
  encoding: fc.nat({ max: 9 }),
};
const header = fc.oneof(
  fc.record({
    type: fc.constant(pageType.DATA_PAGE),
    ...common,
    definitionLevelEncoding: fc.nat({ max: 9 }),
    repetitionLevelEncoding: fc.nat({ max: 9 }),
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
      assert.ok(error instanceof SedimentError && error.code === "invalid_parquet", String(error));
    }
  }));
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
