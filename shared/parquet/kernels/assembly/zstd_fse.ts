/** Tables of finite state entropy (RFC 8878, 4.1), by which zstd codes sequences and the weights of a Huffman tree. */

/** Counts of the symbols of the distribution that was read last, −1 for "less than one". */
const COUNTS = memory.data(2 * 256);
/** Of each symbol the number that its next state is made of. */
const NEXT = memory.data(2 * 256);
/** The symbol of each state. */
const SYMBOLS = memory.data(512);

/** Of what was read last: the symbols it has, and the bits of its number of states. */
let symbols: u32 = 0;
export let accuracy: u32 = 0;

/** States that the frames of a page may still describe. */
let statesLeft: u32 = 0;

/**
 * Bounds the states of all tables that a page describes by the bytes that it gives, as those are what its check is priced by:
 * 16 bytes may describe 1,280 states and give three bytes. The first block may have all of them. libzstd describes a state for
 * four bytes at most, or 448 where a block is small.
 */
export function boundStates(bytes: u32): void {
  statesLeft = bytes + 2048;
}

/**
 * Reads a distribution (RFC 8878, 4.1.1). Gives the position behind it, 0 when it is broken. Up to 3 bytes behind `end` are
 * read, and not used.
 */
function readCounts(at: usize, end: usize, mostAccuracy: u32, mostSymbol: u32): usize {
  if (at >= end) return 0;
  accuracy = (load<u8>(at) & 15) + 5;
  if (accuracy > mostAccuracy) return 0;
  let bit: u32 = 4;
  let left: i32 = 1 << accuracy;
  symbols = 0;
  while (left > 0) {
    if (symbols > mostSymbol || at + (bit >> 3) >= end) return 0;
    const width = 32 - clz<u32>(left + 1);
    const mask = (1 << (width - 1)) - 1;
    const threshold = (1 << width) - 2 - left;
    let value = <i32> ((load<u32>(at + (bit >> 3)) >> (bit & 7)) & ((1 << width) - 1));
    bit += width;
    if ((value & mask) < threshold) {
      bit--; // the value took one bit less
      value &= mask;
    } else if (value > mask) value -= threshold;
    const count = value - 1;
    store<i16>(COUNTS + (<usize> (symbols++) << 1), <i16> count);
    left -= abs(count);
    if (count != 0) continue;
    let more: u32 = 3;
    while (more == 3) {
      if (at + (bit >> 3) >= end) return 0;
      more = (load<u16>(at + (bit >> 3)) >> <u16> (bit & 7)) & 3;
      bit += 2;
      if (symbols + more > mostSymbol + 1) return 0;
      for (let n: u32 = 0; n < more; n++) store<i16>(COUNTS + (<usize> (symbols++) << 1), 0);
    }
  }
  const behind = at + ((bit + 7) >> 3);
  return left < 0 || behind > end ? 0 : behind;
}

/**
 * Builds the table of the counts: for each state a u64 of {u32 value, u16 next state, u8 bits that are added to it, u8 bits
 * that are added to the value}.
 * @param values a u64 of each symbol's value and its bits, as they stand in the table; 0: the symbol itself
 */
function build(table: usize, values: usize): bool {
  const size: u32 = 1 << accuracy;
  let high = size;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const count = load<i16>(COUNTS + (<usize> symbol << 1));
    if (count == -1) store<u8>(SYMBOLS + --high, symbol);
    store<u16>(NEXT + (<usize> symbol << 1), <u16> abs<i32>(count));
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let at: u32 = 0;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const count = <i32> load<i16>(COUNTS + (<usize> symbol << 1));
    for (let n: i32 = 0; n < count; n++) {
      store<u8>(SYMBOLS + at, symbol);
      do at = (at + step) & (size - 1); while (at >= high);
    }
  }
  if (at != 0) return false;
  for (let state: u32 = 0; state < size; state++) {
    const symbol = <u32> load<u8>(SYMBOLS + state);
    const counter = NEXT + (<usize> symbol << 1);
    const number = <u32> load<u16>(counter);
    store<u16>(counter, <u16> (number + 1));
    const bits = accuracy - (31 - clz<u32>(number));
    const next = <u64> ((number << bits) - size);
    const value = values == 0 ? <u64> symbol : load<u64>(values + (<usize> symbol << 3));
    store<u64>(table + (<usize> state << 3), value | (next << 32) | (<u64> bits << 48));
  }
  return true;
}

/** Reads a distribution and builds its table; gives the position behind it, 0 when it is broken. */
export function readFse(
  at: usize,
  end: usize,
  table: usize,
  values: usize,
  mostAccuracy: u32,
  mostSymbol: u32,
): usize {
  const behind = readCounts(at, end, mostAccuracy, mostSymbol);
  const states: u32 = 1 << accuracy;
  if (behind == 0 || states > statesLeft) return 0;
  statesLeft -= states;
  return build(table, values) ? behind : 0;
}

/** Builds the table of one symbol alone, which takes no bits. */
export function buildSingle(table: usize, values: usize, symbol: u32): void {
  accuracy = 0;
  store<u64>(table, load<u64>(values + (<usize> symbol << 3)));
}

/** Builds the table of a distribution that the format gives, as i8 counts. */
export function buildGiven(table: usize, values: usize, counts: usize, count: u32, bits: u32): void {
  symbols = count;
  accuracy = bits;
  for (let symbol: u32 = 0; symbol < count; symbol++) {
    store<i16>(COUNTS + (<usize> symbol << 1), <i16> load<i8>(counts + symbol));
  }
  build(table, values);
}
