import { at, avroError, invalid, unsupported } from "./avro_error.ts";
import { Cursor } from "./cursor.ts";
import { type AvroLimits, avroLimitsWith } from "./limits.ts";
import { parseSchema } from "./parse_schema.ts";
import type { AvroRecord } from "./schema.ts";

/** The codecs that we read, of those that Avro 1.12 names ("Object Container Files"). */
const avroCodecs = ["null", "deflate", "snappy", "zstandard"] as const;
export type AvroCodec = typeof avroCodecs[number];

/** What stands before the first block. */
export interface AvroHeader {
  schema: AvroRecord;
  codec: AvroCodec;
  /** All metadata, as views of the file. */
  metadata: Map<string, Uint8Array>;
  /** The 16 bytes that end every block. */
  sync: Uint8Array;
  /** Where the first block begins. */
  blocksStart: number;
}

/** `Obj` and the format's version. */
const magic = [0x4f, 0x62, 0x6a, 0x01];

/** Whether bytes begin as an Avro Object Container File does. */
export function isAvro(bytes: Uint8Array): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

/**
 * Reads the header of an Object Container File.
 *
 * @param bytes the whole file
 * @throws not_avro, invalid_avro, unsupported_avro
 */
export function readAvroHeader(bytes: Uint8Array, some?: Partial<AvroLimits>): AvroHeader {
  const limits = avroLimitsWith(some);
  if (!isAvro(bytes)) {
    throw avroError("not_avro", "the bytes do not begin with Obj and version 1");
  }
  const cursor = new Cursor(bytes, magic.length);
  const metadata = at({ part: "header" }, () => readMetadata(cursor, limits));
  const sync = at({ part: "header" }, () => cursor.take(16));
  const codec = at({ path: "avro.codec" }, () => codecOf(metadata.get("avro.codec")));
  const schema = metadata.get("avro.schema");
  if (schema === undefined) throw avroError("invalid_avro", "the header holds no avro.schema");
  return {
    schema: parseSchema(schema, limits),
    codec,
    metadata,
    sync,
    blocksStart: cursor.position,
  };
}

function readMetadata(cursor: Cursor, limits: AvroLimits): Map<string, Uint8Array> {
  const metadata = new Map<string, Uint8Array>();
  const decoder = new TextDecoder();
  for (let total = 0;;) {
    const count = cursor.readBlockCount(2);
    if (count === 0) return metadata;
    total += count;
    if (total > limits.metadataEntries) {
      throw unsupported(`the metadata has more than ${limits.metadataEntries} entries`);
    }
    for (let n = 0; n < count; n++) {
      const key = decoder.decode(cursor.take(cursor.readLength()));
      metadata.set(key, cursor.take(cursor.readLength()));
    }
  }
}

function codecOf(value: Uint8Array | undefined): AvroCodec {
  if (value === undefined || value.length === 0) return "null";
  const name = value.length > 32 ? "" : new TextDecoder().decode(value);
  const codec = avroCodecs.find((known) => known === name);
  if (codec !== undefined) return codec;
  if (name === "bzip2" || name === "xz") {
    throw unsupported(`codec ${name} is not read; ${avroCodecs.join(", ")} are`);
  }
  throw invalid("the codec is not one that Avro names");
}
