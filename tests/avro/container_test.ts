import { strict as assert } from "node:assert";
import { avroToParquet } from "../../shared/avro/avro_to_parquet.ts";
import { readAvroBlocks } from "../../shared/avro/blocks.ts";
import { isAvro, readAvroHeader } from "../../shared/avro/header.ts";
import { Zstd } from "../../shared/compression/zstd.ts";
import {
  avroFile,
  codecs,
  compress,
  fileHeader,
  fileOf,
  join,
  long,
  record,
  storedBlock,
  sync,
  text,
} from "./avro_writer.ts";
import { thrown } from "./thrown.ts";

const schema = record({ a: "int" });
const zstd = await Zstd.open();
const magic = [0x4f, 0x62, 0x6a, 1];

function blocks(bytes: Uint8Array, limits = {}) {
  return [...readAvroBlocks(bytes, { limits, zstd })];
}

Deno.test("blocks are given one at a time with their place, count and bytes, under every codec", () => {
  for (const codec of codecs) {
    const file = avroFile(schema, Array.from({ length: 25 }, (_, a) => ({ a })), codec, 10);
    const read = blocks(file);
    assert.deepEqual(read.map(({ index, count }) => [index, count]), [[0, 10], [1, 10], [2, 5]]);
    assert.deepEqual(
      join(...read.map(({ data }) => data)),
      join(...Array.from({ length: 25 }, (_, a) => long(a))),
    );
    assert.equal(read[0].offset, readAvroHeader(file).blocksStart);
    assert.deepEqual(file.subarray(read[1].offset - 16, read[1].offset), sync);
  }
});

Deno.test("metadata is read from several map blocks, with and without their sizes", () => {
  const first = join(text("user.note"), text("x"));
  const second = join(text("avro.schema"), text(JSON.stringify(schema)));
  const file = join(magic, long(1), first, long(-1), long(second.length), second, [0], sync);
  const header = readAvroHeader(file);
  assert.equal(header.codec, "null");
  assert.equal(new TextDecoder().decode(header.metadata.get("user.note")), "x");
  assert.deepEqual(header.sync, sync);
  assert.deepEqual(blocks(file), []);
});

Deno.test("a file in the middle of a larger body is read by its slice", () => {
  const file = avroFile(schema, [{ a: 1 }, { a: 2 }], "snappy");
  const body = join([9, 9, 9], file, [9, 9]);
  const [block] = blocks(body.subarray(3, 3 + file.length));
  assert.deepEqual(block.data, join(long(1), long(2)));
});

Deno.test("bytes of something else are not_avro", async () => {
  for (
    const bytes of [[], [0x4f], [0x4f, 0x62, 0x6a, 0], [...new TextEncoder().encode("PAR1PAR1")]]
  ) {
    assert.equal(isAvro(Uint8Array.from(bytes)), false);
    await thrown("not_avro", () => blocks(Uint8Array.from(bytes)));
  }
});

Deno.test("a broken header is invalid_avro", async () => {
  const json = text(JSON.stringify(schema));
  const cases: [Uint8Array, RegExp][] = [
    [join(magic), /end within/],
    [join(magic, [0], sync), /no avro.schema/],
    [join(magic, long(1), text("avro.schema"), json, [0], sync.subarray(1)), /end within/],
    [join(magic, long(2n ** 60n)), /do not fit/],
    [join(magic, long(1), long(-5), [0, 0]), /header: .* negative/],
    [fileHeader(schema, "lz77"), /not one that Avro names/],
  ];
  for (const [bytes, words] of cases) {
    assert.match((await thrown("invalid_avro", () => blocks(bytes))).message, words);
  }
});

Deno.test("codecs that we do not read and metadata without end are unsupported", async () => {
  for (const codec of ["bzip2", "xz"]) {
    const error = await thrown("unsupported_avro", () => blocks(fileHeader(schema, codec)));
    assert.match(error.message, new RegExp(codec));
    assert.equal(error.field, "avro.codec");
  }
  const entries = join(...Array.from({ length: 1_001 }, () => [0, 0]));
  const file = join(magic, long(1_001), entries, [0], sync);
  assert.match((await thrown("unsupported_avro", () => blocks(file))).message, /1000 entries/);
});

Deno.test("a broken block is invalid_avro and named by its number", async () => {
  const head = fileHeader(schema);
  const good = storedBlock(1, long(5));
  const bad = storedBlock(1, long(5));
  bad[bad.length - 1] ^= 1;
  const cases: [Uint8Array, RegExp][] = [
    [bad, /sync marker/],
    [good.subarray(0, good.length - 1), /end within/],
    [good.subarray(0, 1), /end within/],
    [storedBlock(-1, long(5)), /declares -1 objects/],
    [storedBlock(2n ** 60n, long(5)), /do not fit/],
    [storedBlock(2, long(5)), /2 objects do not fit the block's 1 bytes/],
    [join(long(1), long(-3), sync), /negative/],
    [join(long(1), long(2n ** 40n), sync), /passes the end/],
    [Uint8Array.of(0), /end within/],
  ];
  for (const [bytes, words] of cases) {
    const error = await thrown("invalid_avro", () => blocks(join(head, good, bytes)));
    assert.match(error.message, words);
    assert.equal(error.extra?.block, 1, error.message);
  }
});

Deno.test("blocks over the limits are refused: one alone, or all together", async () => {
  const rows = Array.from({ length: 30 }, (_, a) => ({ a }));
  for (const codec of codecs) {
    const file = avroFile(schema, rows, codec, 10);
    assert.equal(blocks(file, { blockBytes: 10, decodedBytes: 30 }).length, 3);
    const one = await thrown("unsupported_avro", () => blocks(file, { blockBytes: 9 }));
    assert.equal(one.extra?.block, 0);
    const all = await thrown("unsupported_avro", () => blocks(file, { decodedBytes: 29 }));
    assert.equal(all.extra?.block, 2);
  }
});

Deno.test("an aborted signal ends the reading before the next block", async () => {
  const stop = new AbortController();
  const file = fileOf(schema, [long(1), long(2)], "null", 1);
  const reading = readAvroBlocks(file, { signal: stop.signal });
  assert.equal(reading.next().value?.index, 0);
  stop.abort(new Error("enough"));
  assert.equal((await thrown("aborted", () => reading.next())).message.length > 0, true);
});

Deno.test("a conversion lets timers run, so that a timeout can end it", async () => {
  const wide = record({ a: "long", b: "long" });
  const block = storedBlock(500_000, compress("deflate", new Uint8Array(1_000_000)));
  const file = join(fileHeader(wide, "deflate"), ...new Array(20).fill(block));
  const stop = new AbortController();
  setTimeout(() => stop.abort());
  await thrown("aborted", () => avroToParquet(file, { signal: stop.signal }));
});

Deno.test("an empty block is passed over under every codec", () => {
  for (const codec of codecs) {
    const file = join(avroFile(schema, [{ a: 1 }], codec), storedBlock(0, new Uint8Array(0)));
    assert.deepEqual(blocks(file).map(({ count }) => count), [1, 0]);
  }
});
