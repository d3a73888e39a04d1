import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { avroToParquet } from "../../shared/avro/avro_to_parquet.ts";
import type { AvroLimits } from "../../shared/avro/limits.ts";
import { SedimentError } from "../../shared/errors.ts";
import {
  avroFile,
  codecs,
  compress,
  fileHeader,
  join,
  long,
  record,
  storedBlock,
  text,
} from "./avro_writer.ts";
import { convertAlone } from "./convert_alone.ts";
import { ParquetReader } from "./read_parquet.ts";
import { thrown } from "./thrown.ts";

const MiB = 1024 * 1024;

function refused(bytes: Uint8Array, limits?: Partial<AvroLimits>): Promise<SedimentError> {
  return thrown("unsupported_avro", () => avroToParquet(bytes, { limits }));
}

Deno.test("a block that claims 2^60 objects is refused, whether they take bytes or not", async () => {
  const some = join(fileHeader(record({ a: "int" })), storedBlock(2n ** 60n, long(1)));
  await thrown("invalid_avro", () => avroToParquet(some));
  const none = join(fileHeader(record({ a: "null" })), storedBlock(2n ** 60n, new Uint8Array(0)));
  assert.match((await refused(none)).message, /block 0, row 0: .* values in its columns/);
});

Deno.test("lists of what takes no bytes are bounded by their count", async () => {
  for (const items of ["null", record({ a: "null", b: "null" }, "N")]) {
    const schema = record({ list: { type: "array", items } });
    for (const count of [2n ** 62n, 2n ** 31n, 30_000_000n]) {
      const file = join(fileHeader(schema), storedBlock(1, join(long(count), [0])));
      const error = await refused(file);
      assert.match(error.message, /values in its columns/);
      assert.equal(error.field, "list");
    }
  }
});

Deno.test("many small lists of nulls are bounded together", async () => {
  const schema = record({ list: { type: "array", items: "null" } });
  const row = join(long(1_000_000), [0]);
  const file = join(fileHeader(schema), storedBlock(100, join(...new Array(100).fill(row))));
  assert.match((await refused(file)).message, /more than 25165824 values/);
});

Deno.test("one null in a wide schema does not become work without bound", async () => {
  const fields = Object.fromEntries(Array.from({ length: 2_900 }, (_, n) => [`f${n}`, "int"]));
  const schema = record({ wide: ["null", record(fields, "Wide")] });
  const file = join(fileHeader(schema), storedBlock(2 * MiB, new Uint8Array(2 * MiB)));
  assert.match((await refused(file)).message, /more than 25165824 values/);
});

Deno.test("bombs of every codec are refused without their memory being taken", async () => {
  const schema = record({ s: "bytes" });
  const zeros = new Uint8Array(200 * MiB);
  for (const codec of codecs) {
    if (codec === "null" || codec === "snappy") continue;
    const bomb = join(fileHeader(schema, codec), storedBlock(1, compress(codec, zeros)));
    assert(bomb.length < MiB, `${codec}: ${bomb.length}`);
    const { code, message, grown } = await convertAlone(bomb);
    assert.equal(code, "unsupported_avro");
    assert.match(message!, /more than 16777216 bytes once decompressed/);
    assert(grown < 100 * MiB, `${codec}: ${grown} bytes`);
  }
  // snappy says its size at once: 16 MiB and a byte, and then 768 KiB that could hold as much
  const declared = join([0x81, 0x80, 0x80, 0x08], new Uint8Array(768 * 1024));
  const snappy = join(fileHeader(schema, "snappy"), storedBlock(1, declared));
  assert.match((await refused(snappy)).message, /more than 16777216 bytes once decompressed/);
});

Deno.test("many blocks that each stay below the limit are bounded together", async () => {
  const schema = record({ s: "bytes" });
  const row = compress("deflate", text(new Uint8Array(10 * MiB)));
  const blocks = new Array(60).fill(storedBlock(1, row));
  const { code, extra, grown } = await convertAlone(join(fileHeader(schema, "deflate"), ...blocks));
  assert.equal(code, "unsupported_avro");
  assert.equal(extra?.block, 6);
  assert(grown < 320 * MiB, `${grown} bytes`);
});

Deno.test("one row of more than the columns may hold is refused", async () => {
  const schema = record({ list: { type: "array", items: "long" } });
  const row = join(long(12 * MiB), new Uint8Array(12 * MiB), [0]);
  const error = await refused(join(fileHeader(schema), storedBlock(1, row)));
  assert.match(error.message, /over 67108864 bytes/);
  assert.equal(error.field, "list[]");
});

Deno.test("a row of millions of values, within the limits, is converted in bounded memory", async () => {
  const schema = record({ list: { type: "array", items: "int" } });
  const row = join(long(2 * MiB), new Uint8Array(2 * MiB), [0]);
  const { rowCount, grown } = await convertAlone(join(fileHeader(schema), storedBlock(1, row)));
  assert.equal(rowCount, 1);
  assert(grown < 220 * MiB, `${grown} bytes`);
});

/** A generator of whole numbers below a bound, the same for the same seed. */
function numbers(seed: number): (bound: number) => number {
  return (bound) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * bound);
  };
}

function mutant(file: Uint8Array, random: (bound: number) => number): Uint8Array {
  let bytes: Uint8Array = file.slice();
  for (let changes = 1 + random(3); changes > 0; changes--) {
    const at = random(bytes.length);
    switch (random(6)) {
      case 0:
        bytes[at] ^= 1 << random(8);
        break;
      case 1:
        bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)];
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        bytes = join(bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + random(9))));
        break;
      case 4:
        bytes = join(bytes.subarray(0, at), long(2n ** BigInt(random(63))), bytes.subarray(at));
        break;
      default:
        bytes.copyWithin(at, random(bytes.length), random(bytes.length));
    }
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}

Deno.test("a mutated file is converted to what DuckDB reads or refused with a code", async () => {
  const schema = record({
    id: "long",
    name: ["null", "string"],
    kind: { type: "enum", name: "K", symbols: ["a", "b"] },
    at: { type: "long", logicalType: "timestamp-micros" },
    price: { type: "bytes", logicalType: "decimal", precision: 20, scale: 2 },
    tags: { type: "array", items: ["null", "string"] },
    more: { type: "map", values: ["int", "string", record({ d: "double" }, "D")] },
  });
  const rows = Array.from({ length: 40 }, (_, n) => ({
    id: BigInt(n) << BigInt(n),
    name: n % 3 ? { string: `name ${n}` } : null,
    kind: n % 2 ? "a" : "b",
    at: BigInt(n) * 10n ** 12n,
    price: Buffer.of(n, n),
    tags: n % 4 ? [{ string: "x" }, null] : [],
    more: n % 2 ? { k: { int: n }, l: { D: { d: n / 3 } } } : {},
  }));
  const files = codecs.map((codec) => avroFile(schema, rows, codec, 15));
  const random = numbers(20261122);
  const reader = await ParquetReader.open();
  const count: Record<string, number> = {};
  try {
    for (let n = 0; n < 4_000; n++) {
      const bytes = mutant(files[n % files.length], random);
      let outcome = "converted";
      try {
        const { parquet, rowCount } = await avroToParquet(bytes);
        if (n % 4 === 0) assert.equal((await reader.read(parquet)).rows.length, rowCount);
      } catch (error) {
        if (!(error instanceof SedimentError)) throw error;
        outcome = error.code;
      }
      count[outcome] = (count[outcome] ?? 0) + 1;
    }
  } finally {
    await reader.close();
  }
  const { converted, invalid_avro, not_avro: _, unsupported_avro: __, ...others } = count;
  assert.deepEqual(others, {});
  assert(converted > 100 && invalid_avro > 2_000, JSON.stringify(count));
});
