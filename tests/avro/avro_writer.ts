/** Writes Avro container files for tests: values encoded by avsc, blocks and codecs as a test wants them. */
import * as zstd from "@bokuweb/zstd-wasm";
import avsc from "avsc";
import { snappyCompress } from "hyparquet-writer/src/snappy.js";
import { Buffer } from "node:buffer";
import { crc32, deflateRawSync } from "node:zlib";

export const sync = new Uint8Array(16).map((_, index) => index * 13 + 7);

/** Joins bytes. */
export function join(...parts: ArrayLike<number>[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** A zig-zag varint. */
export function long(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** A `bytes` or `string` value. */
export function text(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return join(long(bytes.length), bytes);
}

/** The magic, the metadata and the sync marker. */
export function fileHeader(schema: unknown, codec?: string): Uint8Array {
  const json = typeof schema === "string" ? schema : JSON.stringify(schema);
  const entries = [join(text("avro.schema"), text(json))];
  if (codec !== undefined) entries.push(join(text("avro.codec"), text(codec)));
  return join([0x4f, 0x62, 0x6a, 1], long(entries.length), ...entries, [0], sync);
}

/** A block of bytes that are stored as given. */
export function storedBlock(count: number | bigint, stored: Uint8Array): Uint8Array {
  return join(long(count), long(stored.length), stored, sync);
}

export type Codec = "null" | "deflate" | "snappy" | "zstandard";
export const codecs: Codec[] = ["null", "deflate", "snappy", "zstandard"];

await zstd.init();

/** A block's bytes as a codec stores them. */
export function compress(codec: Codec, data: Uint8Array): Uint8Array {
  switch (codec) {
    case "null":
      return data;
    case "deflate":
      return new Uint8Array(deflateRawSync(data));
    case "zstandard":
      return zstd.compress(data, 3);
    case "snappy": {
      const packed = snappyCompress(data);
      const checksum = new Uint8Array(4);
      new DataView(checksum.buffer).setUint32(0, crc32(data) >>> 0);
      return join(packed, checksum);
    }
  }
}

/** A file of rows that are encoded already, so many to a block. */
export function fileOf(
  schema: unknown,
  rows: Uint8Array[],
  codec: Codec = "null",
  rowsPerBlock = 100,
): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < rows.length; at += rowsPerBlock) {
    const part = rows.slice(at, at + rowsPerBlock);
    blocks.push(storedBlock(part.length, compress(codec, join(...part))));
  }
  return join(fileHeader(schema, codec === "null" ? undefined : codec), ...blocks);
}

/** avsc's longs as bigint: its own refuse what a double cannot hold. */
const bigLong = avsc.types.LongType.__with({
  fromBuffer: (buffer: Uint8Array) =>
    new DataView(buffer.buffer, buffer.byteOffset).getBigInt64(0, true),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(value);
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === "bigint",
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

/**
 * Encodes values with avsc: longs are bigint, bytes Buffer or Uint8Array, unions wrapped as `{branch: value}`.
 */
function encodeRows(schema: unknown, values: unknown[]): Uint8Array[] {
  // deno-lint-ignore no-explicit-any
  const type = avsc.Type.forSchema(schema as any, {
    // deno-lint-ignore no-explicit-any
    typeHook: (type: any) => type === "long" || type?.type === "long" ? bigLong : undefined,
    wrapUnions: true,
  });
  return values.map((value) => new Uint8Array(type.toBuffer(value)));
}

/** A file of values, see {@link encodeRows}. */
export function avroFile(
  schema: unknown,
  values: unknown[],
  codec: Codec = "null",
  rowsPerBlock = 100,
): Uint8Array {
  return fileOf(schema, encodeRows(schema, values), codec, rowsPerBlock);
}

/** A record schema with these fields. */
export function record(fields: Record<string, unknown>, name = "Row") {
  const list = Object.entries(fields).map(([name, type]) => ({ name, type }));
  return { type: "record", name, fields: list };
}
