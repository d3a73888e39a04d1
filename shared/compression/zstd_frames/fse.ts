import { broken } from "../compression_fault.ts";
import type { ReverseBits } from "./reverse_bits.ts";

/** A decoding table of finite state entropy (RFC 8878, 4.1): by state its symbol, bits to read, and base. */
export interface FseTable {
  accuracy: number;
  symbols: Uint8Array;
  bits: Uint8Array;
  base: Uint16Array;
}

/** The table of one symbol alone (mode RLE). */
export function singleSymbol(symbol: number): FseTable {
  return {
    accuracy: 0,
    symbols: Uint8Array.of(symbol),
    bits: new Uint8Array(1),
    base: new Uint16Array(1),
  };
}

/**
 * Builds the table of a distribution (RFC 8878, 4.1.1).
 *
 * @param counts of each symbol, −1 for "less than one"; they add up to 2^accuracy
 */
export function buildFse(counts: ArrayLike<number>, accuracy: number): FseTable {
  const size = 1 << accuracy;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(counts.length);
  let high = size;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    if (counts[symbol] === -1) {
      symbols[--high] = symbol;
      next[symbol] = 1;
    } else next[symbol] = counts[symbol];
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    for (let n = 0; n < counts[symbol]; n++) {
      symbols[at] = symbol;
      do at = (at + step) & (size - 1); while (at >= high);
    }
  }
  if (at !== 0) throw broken("zstandard: a distribution does not fill its table");
  const bits = new Uint8Array(size), base = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const value = next[symbols[state]]++;
    bits[state] = accuracy - (31 - Math.clz32(value));
    base[state] = (value << bits[state]) - size;
  }
  return { accuracy, symbols, bits, base };
}

/**
 * Reads a distribution (RFC 8878, 4.1.1) that begins at `from`, and builds its table.
 *
 * @returns the table and the position after the description
 */
export function readFse(
  bytes: Uint8Array,
  from: number,
  to: number,
  maxAccuracy: number,
  maxSymbol: number,
): [FseTable, number] {
  let bit = from * 8;
  const read = (count: number) => {
    const at = bit >> 3;
    if (at >= to) throw broken("zstandard: a distribution ends too soon");
    const word = bytes[at] | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    const value = (word >>> (bit & 7)) & ((1 << count) - 1);
    bit += count;
    return value;
  };
  const accuracy = read(4) + 5;
  if (accuracy > maxAccuracy) throw broken("zstandard: a distribution is finer than allowed");
  const counts: number[] = [];
  let left = 1 << accuracy;
  while (left > 0) {
    if (counts.length > maxSymbol) throw broken("zstandard: a distribution has too many symbols");
    const width = 32 - Math.clz32(left + 1);
    let value = read(width);
    const lowMask = (1 << (width - 1)) - 1;
    const threshold = (1 << width) - 1 - (left + 1);
    if ((value & lowMask) < threshold) {
      bit--; // the value took one bit less
      value &= lowMask;
    } else if (value > lowMask) value -= threshold;
    const count = value - 1;
    counts.push(count);
    left -= Math.abs(count);
    if (count !== 0) continue;
    for (let more = 3; more === 3;) {
      more = read(2);
      for (let n = 0; n < more; n++) counts.push(0);
      if (counts.length > maxSymbol + 1) break;
    }
  }
  const end = (bit + 7) >> 3;
  if (left < 0 || counts.length > maxSymbol + 1 || end > to) {
    throw broken("zstandard: a distribution is broken");
  }
  return [buildFse(counts, accuracy), end];
}

/** The state that follows. */
export function nextState(table: FseTable, state: number, stream: ReverseBits): number {
  return table.base[state] + stream.read(table.bits[state]);
}
