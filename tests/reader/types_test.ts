/** Types that DuckDB writes no files of, and what a runtime without node:zlib does. */
import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import { brotliCompressSync, brotliDecompressSync, crc32 as zlibCrc32 } from "node:zlib";
import * as arrow from "apache-arrow";
import { parquetWriteBuffer } from "hyparquet-writer";
import { crc32 } from "../../shared/compression/crc32.ts";
import {
  convertedType,
  physicalType,
  type SchemaElement,
} from "../../shared/parquet/format/metadata.ts";
import { readerHost } from "../../shared/reader/decode/reader_host.ts";
import { writeWithDuckDb } from "../parquet/sample_files.ts";
import { withFooter } from "../parquet/with_footer.ts";
import { thrownBy } from "../support/thrown_by.ts";
import type { Where } from "../../shared/reader/where/where.ts";
import { batchRows } from "./support/exact_rows.ts";
import { openFake } from "./support/fake_service.ts";
import { scanBytes } from "./support/scan_bytes.ts";

/** A file of one nullable column of fixed bytes, which its footer says are something else. */
function fixedBytes(
  values: (Uint8Array | null)[],
  element: Partial<SchemaElement>,
): Uint8Array<ArrayBuffer> {
  const length = values.find((one) => one !== null)!.length;
  const file = new Uint8Array(parquetWriteBuffer({
    schema: [
      { name: "root", num_children: 1 },
      { name: "v", type: "FIXED_LEN_BYTE_ARRAY", type_length: length, repetition_type: "OPTIONAL" },
    ],
    columnData: [{ name: "v", data: values }],
    statistics: false,
  }));
  return withFooter(file, (metadata) => {
    Object.assign(metadata.schema[1], element);
    for (const { columns } of metadata.rowGroups) {
      columns[0].metaData!.type = metadata.schema[1].type!;
    }
  });
}

function int96(day: number, nanoseconds: bigint): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, nanoseconds, true);
  view.setInt32(8, day, true);
  return bytes;
}

const asInt96 = { type: physicalType.INT96, typeLength: undefined };

Deno.test("INT96 is a timestamp in nanoseconds, to the last of them", async () => {
  const file = fixedBytes([
    int96(2_440_588, 0n),
    null,
    int96(2_440_587, 86_399_999_999_999n),
    int96(2_460_640, 43_200_000_000_001n),
  ], asInt96);
  const { schema, batches } = await scanBytes([file]);
  assert.equal(String(schema.fields[0].type), "Timestamp<NANOSECOND>");
  assert.deepEqual(batchRows(batches), [
    "v:local 0",
    "v:null",
    "v:local -1",
    `v:local ${20_052n * 86_400_000_000_000n + 43_200_000_000_001n}`,
  ]);
});

Deno.test("an INT96 that nanoseconds do not reach is an error, not another day", async () => {
  for (const day of [1_721_426, 0, 5_373_484]) {
    const error = await thrownBy(scanBytes([fixedBytes([null, int96(day, 0n)], asInt96)]));
    assert.equal(error.code, "unsupported_parquet");
    assert.match(error.message, /column v.*1677 to 2262/);
  }
});

const decimal = (precision: number, scale: number): Partial<SchemaElement> => ({
  convertedType: convertedType.DECIMAL,
  precision,
  scale,
  logicalType: { kind: "DECIMAL", precision, scale },
});

function bigEndian(value: bigint, length: number): Uint8Array {
  return Uint8Array.from(
    { length },
    (_, i) => Number(BigInt.asUintN(8, value >> BigInt(8 * (length - 1 - i)))),
  );
}

Deno.test("decimals of 39 to 76 digits are Arrow's 256 bits, and wider ones are refused", async () => {
  const values = [10n ** 44n - 1n, -(10n ** 44n), 0n, -1n];
  const file = fixedBytes(values.map((value) => bigEndian(value, 20)), decimal(45, 3));
  const { schema, batches } = await scanBytes([file]);
  const type = schema.fields[0].type as arrow.Decimal;
  assert.deepEqual([type.precision, type.scale, type.bitWidth], [45, 3, 256]);
  assert.deepEqual(batchRows(batches), values.map((value) => `v:${value}e-3`));
  const wide = fixedBytes([bigEndian(1n, 40)], decimal(90, 0));
  assert.equal((await thrownBy(scanBytes([wide]))).code, "unsupported_parquet");
});

Deno.test("an interval is its 12 bytes, and a UUID its 16 with the name of its type", async () => {
  const interval = fixedBytes([new Uint8Array(12).fill(7)], {
    convertedType: convertedType.INTERVAL,
  });
  assert.deepEqual(batchRows((await scanBytes([interval])).batches), [`v:x${"07".repeat(12)}`]);
  const uuid = fixedBytes([new Uint8Array(16).fill(9)], { logicalType: { kind: "UUID" } });
  const { schema, batches } = await scanBytes([uuid]);
  assert.deepEqual(batchRows(batches), [`v:x${"09".repeat(16)}`]);
  assert.equal(schema.fields[0].metadata.get("ARROW:extension:name"), "arrow.uuid");
});

Deno.test("a file that lacks all of the columns gives nulls, by the thousand", async () => {
  const one = await writeWithDuckDb("select i as a from range(3) t(i)");
  const other = await writeWithDuckDb("select i as b from range(5000) t(i)");
  const { batches } = await scanBytes([one, other], {
    columns: ["a"],
    limits: { batchRows: 1000 },
  });
  const rows = batchRows(batches);
  assert.equal(rows.length, 5003);
  assert.deepEqual(rows.slice(0, 4), ["a:0", "a:1", "a:2", "a:null"]);
  assert.ok(rows.slice(3).every((row) => row === "a:null"));
});

Deno.test("small files share batches, and large ones are cut", async () => {
  const files = await Promise.all(
    [0, 1, 2, 3].map((n) =>
      writeWithDuckDb(`select i as a from range(${n * 1000}, ${n * 1000 + 1000}) t(i)`)
    ),
  );
  const { batches } = await scanBytes(files, { limits: { batchRows: 1500 } });
  assert.deepEqual(batches.map(({ numRows }) => numRows), [1500, 1500, 1000]);
  assert.deepEqual(batchRows(batches), Array.from({ length: 4000 }, (_, i) => `a:${i}`));
});

const query = "select i, 'text ' || i % 7 as s, [i, null] as l from range(3000) t(i)";

for (const codec of ["gzip", "zstd", "brotli", "lz4_raw"]) {
  Deno.test(`${codec} gives the same rows without node:zlib`, async () => {
    const file = await writeWithDuckDb(query, `format parquet, compression ${codec}`);
    const plain = await writeWithDuckDb(query, "format parquet, compression uncompressed");
    const brotli = (bytes: Uint8Array) => new Uint8Array(brotliDecompressSync(bytes));
    const host = readerHost({ brotli }, null);
    const rows = async (bytes: Uint8Array, of = host) =>
      batchRows((await scanBytes([bytes], { host: of })).batches);
    assert.deepEqual(await rows(file), await rows(plain));
    assert.deepEqual(await rows(file, readerHost()), await rows(plain));
  });
}

Deno.test("brotli without anything that unpacks it says what to give", async () => {
  const file = await writeWithDuckDb(query, "format parquet, compression brotli");
  const error = await thrownBy(scanBytes([file], { host: readerHost({}, null) }));
  assert.equal(error.code, "unsupported_parquet");
  assert.match(error.expected!, /codecs/);
});

Deno.test("pages that unpack to another size are broken, whoever unpacks them", () => {
  const packed = new Uint8Array(brotliCompressSync(new Uint8Array(100)));
  for (
    const host of [
      readerHost(),
      readerHost({ brotli: (bytes) => brotliDecompressSync(bytes) }, null),
    ]
  ) {
    assert.equal(host.inflate(4, packed, new Uint8Array(100)), 1);
    assert.equal(host.inflate(4, packed, new Uint8Array(99)), 0);
    assert.equal(host.inflate(4, packed, new Uint8Array(101)), 0);
  }
});

Deno.test("our CRC-32 is zlib's", () => {
  for (const length of [0, 1, 7, 8, 9, 63, 1000]) {
    const bytes = new Uint8Array(randomBytes(length));
    // Deno 2.1 gives it signed
    assert.equal(crc32(bytes), zlibCrc32(bytes) >>> 0, String(length));
  }
});

Deno.test("types that are spelled in two ways are one, as the format has them", async () => {
  const spelled = await writeWithDuckDb(
    "select timestamptz '2024-01-01 00:00:00+00' as v, 'a' as s",
  );
  const old = withFooter(
    await writeWithDuckDb("select timestamptz '2024-01-02 00:00:00+00' as v, 'b' as s"),
    ({ schema }) => {
      for (const element of schema) element.logicalType = undefined;
      schema[1].convertedType = convertedType.TIMESTAMP_MICROS;
    },
  );
  for (const files of [[spelled, old], [old, spelled]]) {
    const { dataset } = await openFake(files.map((bytes) => ({ bytes })));
    const rows = batchRows((await dataset.toTable({ table: "t" })).batches).sort();
    assert.deepEqual(rows, [
      `v:UTC ${Date.UTC(2024, 0, 1)}000000,s:"a"`,
      `v:UTC ${Date.UTC(2024, 0, 2)}000000,s:"b"`,
    ]);
  }
});

Deno.test("a UUID beside a text is its text, and statistics of its bytes rule out no row", async () => {
  const id = "7e57d004-2b97-4e7a-b45f-5387367791cd";
  const uuid = await writeWithDuckDb(`select '${id}'::uuid as v`);
  const text = await writeWithDuckDb("select 'none' as v");
  const { dataset } = await openFake([{ bytes: uuid }, { bytes: text }]);
  const rows = async (where?: Where) =>
    batchRows((await dataset.toTable({ table: "t", where })).batches);
  assert.deepEqual(await rows(), [`v:"${id}"`, 'v:"none"']);
  assert.deepEqual(await rows({ column: "v", op: "=", value: id }), [`v:"${id}"`]);
});

Deno.test("pages that the decoder's memory can't hold are an error that names the limit", async () => {
  const file = await writeWithDuckDb("select repeat('x', 1000) || i as s from range(20000) t(i)");
  const error = await thrownBy(scanBytes([file], { limits: { decoderBytes: 4 * 1024 * 1024 } }));
  assert.equal(error.code, "page_too_large");
  assert.match(error.expected!, /decoderBytes/);
  assert.equal((await scanBytes([file])).report.rowsRead, 20_000);
});
