import { invalid } from "../avro_error.ts";
import type { Cursor } from "../cursor.ts";
import type { ColumnMemory } from "./column_memory.ts";
import { GrowingBytes } from "./growing.ts";
import type { ColumnNode } from "./node.ts";

/** The fewest bytes of two's complement that hold every number of so many digits. */
export function decimalBytes(precision: number): number {
  const most = 10n ** BigInt(precision) - 1n;
  let bytes = 1;
  while ((1n << BigInt(8 * bytes - 1)) - 1n < most) bytes++;
  return bytes;
}

/**
 * `decimal` on bytes or fixed: big-endian two's complement of any length (Avro 1.12, "Decimal"), checked
 * against the precision. Kept as Parquet wants it: 4 or 8 bytes little-endian for INT32 and INT64 (up to 9 and
 * 18 digits), above that as few big-endian bytes as the precision needs.
 */
export class DecimalLeaf implements ColumnNode {
  readonly kind: "int32" | "int64" | "fixed";
  readonly columns = 1;
  /** Bytes of a value as it is kept. */
  readonly size: number;
  readonly data: GrowingBytes;
  readonly #fixedSize: number | undefined;
  readonly #precision: number;
  /** 10^precision, big-endian, 17 bytes. */
  readonly #bound: Uint8Array;
  /** A value's magnitude, likewise. */
  readonly #magnitude = new Uint8Array(17);

  /** @param fixedSize bytes of the `fixed`, undefined on `bytes` */
  constructor(memory: ColumnMemory, precision: number, fixedSize: number | undefined) {
    this.kind = precision <= 9 ? "int32" : precision <= 18 ? "int64" : "fixed";
    this.size = precision <= 9 ? 4 : precision <= 18 ? 8 : decimalBytes(precision);
    this.data = new GrowingBytes(memory);
    this.#fixedSize = fixedSize;
    this.#precision = precision;
    this.#bound = new Uint8Array(17);
    let bound = 10n ** BigInt(precision);
    for (let n = 16; n >= 0; n--, bound >>= 8n) this.#bound[n] = Number(bound & 0xffn);
  }

  read(cursor: Cursor): void {
    const length = this.#fixedSize ?? cursor.readLength();
    if (length === 0) throw invalid("a decimal has no bytes");
    const source = cursor.bytes;
    const from = cursor.skip(length);
    const sign = source[from] > 0x7f ? 0xff : 0;
    this.#check(source, from, length, sign);
    const { data, size } = this;
    data.reserve(size);
    const start = data.length;
    for (let n = 0; n < size; n++) { // n counts from the lowest byte
      const byte = n < length ? source[from + length - 1 - n] : sign;
      data.bytes[start + (this.kind === "fixed" ? size - 1 - n : n)] = byte;
    }
    data.length = start + size;
  }

  /** That the number has no more digits than the precision. */
  #check(source: Uint8Array, from: number, length: number, sign: number): void {
    const magnitude = this.#magnitude;
    let carry = sign === 0 ? 0 : 1; // −x is ~x + 1
    for (let n = 0; n < Math.max(length, 17); n++) {
      const byte = ((n < length ? source[from + length - 1 - n] : sign) ^ sign) + carry;
      carry = byte >>> 8;
      if (n < 17) magnitude[16 - n] = byte;
      else if ((byte & 0xff) !== 0) throw this.#tooLong();
    }
    for (let n = 0; n < 17; n++) {
      const difference = magnitude[n] - this.#bound[n];
      if (difference < 0) return;
      if (difference > 0) break;
    }
    throw this.#tooLong();
  }

  #tooLong() {
    return invalid(`a decimal has more than ${this.#precision} digits`);
  }

  stoppedAt(): string {
    return "";
  }

  clear(): void {
    this.data.clear();
  }
}
