import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import { SedimentError } from "../../shared/errors.ts";
import { readFileMetadata } from "../../shared/parquet/format/file_metadata.ts";
import {
  footerBytes,
  footerOfBytes,
  footerSteps,
  readFooter,
} from "../../shared/parquet/format/footer.ts";
import { defaultLimits, limitsWith } from "../../shared/parquet/format/limits.ts";
import {
  encoding,
  type FileMetaData,
  type LogicalType,
  type SchemaElement,
} from "../../shared/parquet/format/metadata.ts";
import { bytesReader } from "../../shared/parquet/format/range_reader.ts";
import { fixtureBytes, fixtureNames, hasFixtures } from "./fixtures.ts";
import { writeWithDuckDb } from "./sample_files.ts";

const absent = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const name = fc.string({ unit: "binary", maxLength: 20 });
const size = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const int = fc.nat({ max: 2 ** 31 - 1 });
const bytes = fc.uint8Array({ maxLength: 20 });

const logicalType: fc.Arbitrary<LogicalType> = fc.oneof(
  fc.constantFrom<LogicalType>(
    ...([
      "STRING",
      "MAP",
      "LIST",
      "ENUM",
      "DATE",
      "UNKNOWN",
      "JSON",
      "BSON",
      "UUID",
      "FLOAT16",
    ] as const)
      .map((kind) => ({ kind })),
  ),
  fc.record({ kind: fc.constant("DECIMAL" as const), scale: int, precision: int }),
  fc.record({
    kind: fc.constantFrom("TIME" as const, "TIMESTAMP" as const),
    utc: fc.boolean(),
    unit: fc.constantFrom("MILLIS" as const, "MICROS" as const, "NANOS" as const),
  }),
  fc.record({
    kind: fc.constant("INTEGER" as const),
    bitWidth: fc.constantFrom(8, 16, 32, 64),
    signed: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("VARIANT" as const),
    version: absent(fc.integer({ min: 0, max: 127 })),
  }),
  fc.record({ kind: fc.constant("GEOMETRY" as const), crs: absent(name) }),
  fc.record({
    kind: fc.constant("GEOGRAPHY" as const),
    crs: absent(name),
    algorithm: absent(fc.nat({ max: 4 })),
  }),
  fc.record({
    kind: fc.constant("OTHER" as const),
    id: fc.integer({ min: 19, max: 200 }),
    // a struct of no fields, and one of an i32
    member: fc.constantFrom("00", "150a00"),
  }),
);

const element: fc.Arbitrary<SchemaElement> = fc.record({
  type: absent(fc.nat({ max: 7 })),
  typeLength: absent(int),
  repetition: absent(fc.nat({ max: 2 })),
  name,
  numChildren: absent(int),
  convertedType: absent(fc.nat({ max: 21 })),
  scale: absent(int),
  precision: absent(int),
  fieldId: absent(fc.integer()),
  logicalType: absent(logicalType),
});

const keyValues = fc.array(fc.record({ key: name, value: absent(name) }), { maxLength: 3 });
const histogram = absent(fc.array(size, { maxLength: 4 }));

const chunk = fc.record({
  filePath: absent(name),
  fileOffset: size,
  metaData: absent(fc.record({
    type: fc.nat({ max: 7 }),
    encodings: fc.array(fc.constantFrom(...Object.values(encoding)), { maxLength: 4 }),
    path: fc.array(name, { minLength: 1, maxLength: 3 }),
    codec: fc.nat({ max: 7 }),
    numValues: size,
    totalUncompressedSize: size,
    totalCompressedSize: size,
    keyValues: absent(keyValues),
    dataPageOffset: size,
    indexPageOffset: absent(size),
    dictionaryPageOffset: absent(size),
    statistics: absent(fc.record({
      max: absent(bytes),
      min: absent(bytes),
      nullCount: absent(size),
      distinctCount: absent(size),
      maxValue: absent(bytes),
      minValue: absent(bytes),
      isMaxExact: absent(fc.boolean()),
      isMinExact: absent(fc.boolean()),
    })),
    encodingStats: absent(fc.array(
      fc.record({
        pageType: fc.nat({ max: 3 }),
        encoding: fc.constantFrom(...Object.values(encoding)),
        count: int,
      }),
      { maxLength: 3 },
    )),
    bloomFilterOffset: absent(size),
    bloomFilterLength: absent(int),
    sizeStatistics: absent(fc.record({
      unencodedByteArrayDataBytes: absent(size),
      repetitionLevelHistogram: histogram,
      definitionLevelHistogram: histogram,
    })),
    // a struct whose first field is the empty struct
    geospatialStatistics: absent(fc.constant(new Uint8Array([0x1c, 0, 0]))),
  })),
  offsetIndexOffset: absent(size),
  offsetIndexLength: absent(int),
  columnIndexOffset: absent(size),
  columnIndexLength: absent(int),
  encrypted: fc.constant(false),
});

const metadata: fc.Arbitrary<FileMetaData> = fc.record({
  version: fc.nat({ max: 3 }),
  schema: fc.array(element, { minLength: 1, maxLength: 20 }),
  numRows: size,
  rowGroups: fc.array(
    fc.record({
      columns: fc.array(chunk, { maxLength: 3 }),
      totalByteSize: size,
      numRows: size,
      sortingColumns: absent(fc.array(
        fc.record({ columnIndex: int, descending: fc.boolean(), nullsFirst: fc.boolean() }),
        { maxLength: 2 },
      )),
      fileOffset: absent(size),
      totalCompressedSize: absent(size),
      ordinal: absent(fc.nat({ max: 32_767 })),
    }),
    { maxLength: 4 },
  ),
  keyValues: absent(keyValues),
  createdBy: absent(name),
  columnOrders: absent(fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 20 })),
  encrypted: fc.constant(false),
});

/** fast-check's records have no prototype. */
const plain = <T>(value: T) => structuredClone(value);

function asFile(footer: Uint8Array): Uint8Array {
  const file = new Uint8Array(4 + footer.length);
  file.set([0x50, 0x41, 0x52, 0x31]);
  file.set(footer, 4);
  return file;
}

Deno.test("a footer that was written is read back field by field", () => {
  fc.assert(fc.property(metadata, (before) => {
    assert.deepEqual(footerOfBytes(asFile(footerBytes(before))).metadata, plain(before));
  }));
});

Deno.test("a footer with any one byte changed is read or refused by name", () => {
  const changed = fc.tuple(metadata, fc.nat(), fc.nat({ max: 255 }));
  fc.assert(fc.property(changed, ([before, where, byte]) => {
    const footer = footerBytes(before).slice(0, -8);
    footer[where % footer.length] = byte;
    try {
      readFileMetadata(footer);
    } catch (error) {
      assert.ok(error instanceof SedimentError, String(error));
      assert.match(error.code, /^(invalid|unsupported)_parquet$/);
    }
  }));
});

for (const fixture of fixtureNames()) {
  Deno.test({
    name: `the footer of ${fixture} is written back in as many bytes and with all fields`,
    ignore: !hasFixtures,
    fn: () => {
      const { metadata, length } = footerOfBytes(fixtureBytes(fixture));
      const written = footerBytes(metadata);
      assert.deepEqual(footerOfBytes(asFile(written)).metadata, metadata);
      assert.equal(written.length - 8, length);
    },
  });
}

Deno.test("a footer over 64 KiB is read by a second range", async () => {
  const columns = Array.from({ length: 900 }, (_, i) => `${i} as column_number_${i}`).join(",");
  const file = await writeWithDuckDb(`select ${columns}`);
  const reads: number[] = [];
  const reader = bytesReader(file);
  const { metadata, length } = await readFooter({
    size: reader.size,
    read(start, count, signal) {
      reads.push(count);
      return reader.read(start, count, signal);
    },
  });
  assert.ok(length > 65_536);
  assert.deepEqual(reads, [65_536, length]);
  assert.deepEqual(metadata, footerOfBytes(file).metadata);
});

const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof SedimentError) return error.code;
    throw error;
  }
  return "no error";
};

Deno.test("what isn't a footer is refused with the code that says what is wrong", async () => {
  const file = await writeWithDuckDb("select 1 as a");
  const last = (bytes: number[]) => {
    const copy = file.slice();
    copy.set(bytes, copy.length - bytes.length);
    return () => footerOfBytes(copy);
  };
  const magic = [0x50, 0x41, 0x52, 0x31];
  assert.equal(codeOf(() => footerOfBytes(file)), "no error");
  assert.equal(codeOf(() => footerOfBytes(new Uint8Array())), "not_parquet");
  assert.equal(codeOf(() => footerOfBytes(new TextEncoder().encode("PAR1PAR1"))), "not_parquet");
  assert.equal(codeOf(last([0x50, 0x41, 0x52, 0x32])), "invalid_parquet");
  assert.equal(codeOf(last([0x50, 0x41, 0x52, 0x45])), "unsupported_parquet");
  assert.equal(codeOf(last([0, 0, 0, 0, ...magic])), "invalid_parquet");
  assert.equal(codeOf(last([255, 255, 255, 255, ...magic])), "invalid_parquet");
  assert.equal(codeOf(() => footerOfBytes(file.slice(1))), "not_parquet");
  assert.equal(codeOf(() => footerOfBytes(file.slice(0, -1))), "invalid_parquet");
  const { length } = footerOfBytes(file);
  const limits = { ...defaultLimits, footerBytes: length - 1 };
  assert.equal(codeOf(() => footerOfBytes(file, limits)), "invalid_parquet");
});

Deno.test("an empty struct is one byte, and a footer of a million is refused by count", () => {
  // field 2: a list of 1,000,000 structs, each of them only its stop byte
  const footer = new Uint8Array(1_000_008);
  footer.set([0x15, 2, 0x19, 0xfc, 0xc0, 0x84, 0x3d]);
  assert.throws(() => readFileMetadata(footer), /1000000 elements, over the 10000 allowed/);
});

Deno.test("a footer of more column chunks than allowed is refused before they are all read", async () => {
  const file = await writeWithDuckDb("select 1 as a, 2 as b, 3 as c");
  const { metadata } = footerOfBytes(file);
  metadata.rowGroups = new Array(4).fill(metadata.rowGroups[0]);
  const bytes = new Uint8Array([...file.subarray(0, 4), ...footerBytes(metadata)]);
  assert.equal(footerOfBytes(bytes, limitsWith({ columnChunks: 12 })).metadata.numRows, 1);
  assert.throws(
    () => footerOfBytes(bytes, limitsWith({ columnChunks: 11 })),
    /row group 3: .* has 3 elements, over the 2 allowed/,
  );
});

Deno.test("a footer of many row groups, or of one with many columns, comes back while it is parsed", async () => {
  const { metadata } = footerOfBytes(await writeWithDuckDb("select 1 as n"));
  const [group] = metadata.rowGroups;
  for (const [groups, columns] of [[4_000, 1], [1, 4_000]]) {
    const file = asFile(footerBytes({
      ...metadata,
      rowGroups: Array.from({ length: groups }, () => ({
        ...group,
        columns: Array.from({ length: columns }, () => group.columns[0]),
      })),
    }));
    const steps = footerSteps(file);
    let count = 0, step = steps.next();
    for (; !step.done; step = steps.next()) count++;
    assert.ok(count >= 3, `${count} steps of ${groups} row groups`);
    assert.equal(step.value.metadata.rowGroups.length, groups);
    assert.deepEqual(step.value, footerOfBytes(file));
  }
});

/** A file's end whose row groups are the first one of DuckDB's, so many times. */
async function repeated(groups: number, change: (group: FileMetaData["rowGroups"][0]) => void) {
  const { metadata } = footerOfBytes(await writeWithDuckDb("select 1 as i"));
  change(metadata.rowGroups[0]);
  metadata.rowGroups = Array.from({ length: groups }, () => metadata.rowGroups[0]);
  const end = footerBytes(metadata);
  return new Uint8Array([0x50, 0x41, 0x52, 0x31, ...end]);
}

Deno.test("lists that are equal from row group to row group are kept once", async () => {
  const { metadata } = footerOfBytes(await repeated(3, () => {}));
  const [first, ...others] = metadata.rowGroups.map(({ columns }) => columns[0].metaData!);
  assert.deepEqual(first.path, ["i"]);
  for (const { path, encodings } of others) {
    assert.strictEqual(path, first.path);
    assert.strictEqual(encodings, first.encodings);
  }
});

Deno.test("lists of so many entries that they would fill the memory are refused", async () => {
  const pairs = (count: number) => Array.from({ length: count }, () => ({ key: "", value: "" }));
  const withPairs = (groups: number) =>
    repeated(groups, ({ columns }) => columns[0].metaData!.keyValues = pairs(250));
  assert.equal(footerOfBytes(await withPairs(100)).metadata.rowGroups.length, 100);
  const many = await withPairs(2_001);
  assert.throws(() => footerOfBytes(many), { code: "unsupported_parquet", message: /entries/ });
});
