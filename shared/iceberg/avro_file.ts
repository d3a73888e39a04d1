/** Avro object container files, as far as Iceberg's manifests want them: https://avro.apache.org/docs/1.12.0/specification/ */
import { deflateRawSync } from "node:zlib";

const utf8 = new TextEncoder();

/** Appends values in Avro's binary encoding. */
export class AvroWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  /** What was written so far; a view. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** An int or a long: zigzag, then seven bits a byte. */
  long(value: number): this {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no safe integer`);
    this.#reserve(10);
    // beyond 32 bits by division, since shifts cut there
    let rest = value >= 0 ? value * 2 : -value * 2 - 1;
    if (rest > Number.MAX_SAFE_INTEGER) return this.#large(BigInt(value));
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = rest % 0x80 | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  /** Bytes, and text as its bytes. */
  bytesOf(value: Uint8Array | string): this {
    const bytes = typeof value === "string" ? utf8.encode(value) : value;
    return this.long(bytes.length).raw(bytes);
  }

  /** Bytes without their length: a `fixed`, or what is encoded already. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A value of a union of null and another type, null first. */
  optional<T>(value: T | null, write: (value: T) => void): this {
    this.long(value === null ? 0 : 1);
    if (value !== null) write(value);
    return this;
  }

  /** An array, or a map, of which each value is written by `write`. */
  array<T>(values: readonly T[], write: (value: T) => void): this {
    if (values.length > 0) {
      this.long(values.length);
      for (const value of values) write(value);
    }
    return this.long(0);
  }

  #large(value: bigint): this {
    let rest = value >= 0n ? value * 2n : -value * 2n - 1n;
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest % 0x80n) | 0x80;
      rest /= 0x80n;
    }
    this.#bytes[this.#length++] = Number(rest);
    return this;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.bytes);
    this.#bytes = grown;
  }
}

/**
 * A file of one block, deflated.
 *
 * @param schema of a record
 * @param metadata further entries of the header, by key
 */
export function avroFile<T>(
  schema: unknown,
  metadata: Record<string, string>,
  records: readonly T[],
  write: (writer: AvroWriter, record: T) => void,
): Uint8Array {
  const sync = crypto.getRandomValues(new Uint8Array(16));
  const entries = Object.entries({
    "avro.schema": JSON.stringify(schema),
    "avro.codec": "deflate",
    ...metadata,
  });
  const file = new AvroWriter();
  file.raw(utf8.encode("Obj\x01"))
    .array(entries, ([key, value]) => file.bytesOf(key).bytesOf(value)).raw(sync);
  if (records.length > 0) {
    const block = new AvroWriter();
    for (const record of records) write(block, record);
    file.long(records.length).bytesOf(deflateRawSync(block.bytes)).raw(sync);
  }
  return file.bytes;
}
