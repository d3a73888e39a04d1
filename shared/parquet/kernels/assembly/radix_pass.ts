/** Sorting rows by the numbers of one key, digit by digit. Its scratch is kept from key to key, and taken when it is needed. */
import { alloc, free } from "./memory";
import { SIGNED64, UNSIGNED64 } from "./order";
import { Key, sortKey } from "./sort_keys";

let keysA: usize = 0;
let keysB: usize = 0;
let rowsB: usize = 0;
let counts: usize = 0;

/** Bits of a digit, and how many values it has. */
const DIGIT: u64 = 11;
const DIGITS: u32 = 1 << 11;

/** What a pass found: whether a value of 64 bits has one of the two highest numbers, and memory was over. */
let shared: bool = false;
export let noMemory: bool = false;

/** Scratch of `n` rows by `shift` bytes each; 0 with {@link noMemory} set. */
function room(had: usize, n: u32, shift: u32): usize {
  if (had != 0) return had;
  const got = alloc(n << shift);
  if (got == 0) noMemory = true;
  return got;
}

/** Turns the counts of a digit into places, from which rows of each value go on. */
function placesOf(): void {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < DIGITS; i++) {
    const count = load<u32>(counts + (i << 2));
    store<u32>(counts + (i << 2), sum);
    sum += count;
  }
}

@inline
function place(digit: u64): u32 {
  const slot = counts + (<usize> (digit & (DIGITS - 1)) << 2);
  const at = load<u32>(slot);
  store<u32>(slot, at + 1);
  return at;
}

/** Sorts `rows` by the one digit at `shift` in which numbers differ, which are told from the rows each time. */
function oneDigit(rows: usize, n: u32, key: Key, shift: u64): void {
  spareRows(n);
  if (noMemory) return;
  memory.fill(counts, 0, DIGITS << 2);
  for (let i: u32 = 0; i < n; i++) place(sortKey(key, load<u32>(rows + (<usize> i << 2))) >> shift);
  placesOf();
  for (let i: u32 = 0; i < n; i++) {
    const row = load<u32>(rows + (<usize> i << 2));
    store<u32>(rowsB + (<usize> place(sortKey(key, row) >> shift) << 2), row);
  }
  memory.copy(rows, rowsB, <usize> n << 2);
}

/** Sorts `rows` by the digits in which numbers differ, which go with their rows. */
function allDigits(rows: usize, n: u32, key: Key, differs: u64): void {
  spareRows(n);
  keysA = room(keysA, n, 3);
  keysB = room(keysB, n, 3);
  if (noMemory) return;
  for (let i: u32 = 0; i < n; i++) {
    store<u64>(keysA + (<usize> i << 3), sortKey(key, load<u32>(rows + (<usize> i << 2))));
  }
  let fromRows = rows;
  let toRows = rowsB;
  for (let shift: u64 = 0; shift < 64; shift += DIGIT) {
    if (((differs >> shift) & (DIGITS - 1)) == 0) continue;
    memory.fill(counts, 0, DIGITS << 2);
    for (let i: u32 = 0; i < n; i++) place(load<u64>(keysA + (<usize> i << 3)) >> shift);
    placesOf();
    for (let i: u32 = 0; i < n; i++) {
      const k = load<u64>(keysA + (<usize> i << 3));
      const at = place(k >> shift);
      store<u64>(keysB + (<usize> at << 3), k);
      store<u32>(toRows + (<usize> at << 2), load<u32>(fromRows + (<usize> i << 2)));
    }
    let swap = keysA;
    keysA = keysB;
    keysB = swap;
    swap = fromRows;
    fromRows = toRows;
    toRows = swap;
  }
  if (fromRows != rows) memory.copy(rows, fromRows, <usize> n << 2);
}

/**
 * Sorts `rows` by one key's numbers, stably and by radix. False when a value of 64 bits has one of the two highest numbers,
 * which several values share, or memory is over.
 */
export function radixPass(rows: usize, n: u32, key: Key): bool {
  let any: u64 = 0;
  let all: u64 = 0xffffffffffffffff;
  let before: u64 = 0;
  let falls = false;
  shared = false;
  for (let i: u32 = 0; i < n; i++) {
    const k = sortKey(key, load<u32>(rows + (<usize> i << 2)));
    falls = falls || k < before;
    before = k;
    any |= k;
    all &= k;
    if (k == 0xfffffffffffffffe) shared = true;
  }
  // what uploads bring in the order of time is in order as it is
  if (falls) {
    const differs = any & ~all;
    const shift = ctz(differs);
    if (differs >> shift < <u64> DIGITS) oneDigit(rows, n, key, shift);
    else allDigits(rows, n, key, differs);
  }
  return !noMemory && (!shared || (key.order != SIGNED64 && key.order != UNSIGNED64));
}

/** Begins a sort; false when memory is over. */
export function startRadix(): bool {
  noMemory = false;
  counts = alloc(DIGITS << 2);
  return counts != 0;
}

/** Room for the rows once more; 0 when memory is over. */
export function spareRows(n: u32): usize {
  rowsB = room(rowsB, n, 2);
  return rowsB;
}

/** Gives the scratch back. */
export function endRadix(): void {
  free(keysA);
  free(keysB);
  free(rowsB);
  free(counts);
  keysA = 0;
  keysB = 0;
  rowsB = 0;
  counts = 0;
}
