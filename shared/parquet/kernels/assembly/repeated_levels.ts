/**
 * Levels that no nesting of lists gives (Dremel's levels; parquet-format README, Nested Encoding). An entry with the
 * repetition level r > 0 goes on with the list at that depth, so it stands in that list, and so does the entry before
 * it: both have at least the definition level of the list's entries. Readers make different rows of other levels.
 */
import { fail, LIST_WITHOUT_ENTRY } from "./errors";

@inline
const HIGH: u64 = 0x8080808080808080;
@inline
const ONES: u64 = 0x0101010101010101;

/**
 * Checks `n` entries, false with the error set.
 * @param lists address of a byte for each repetition level: the definition level of the entries of the list there
 * @param before definition level of the entry before the first one
 */
export function checkRepeats(
  reps: usize,
  defs: usize,
  n: u32,
  maxRep: u32,
  lists: usize,
  before: u32,
): bool {
  let i: u32 = 0;
  let last = before;
  if (maxRep == 1) {
    const floor = ONES * load<u8>(lists, 1);
    for (; i + 8 <= n; i += 8) {
      const w = load<u64>(defs + i);
      const repeats = load<u64>(reps + i);
      if (repeats != 0) {
        // levels are below 128: a byte keeps its highest bit where it is not below the floor
        const there = ((w | HIGH) - floor) & (((w << 8 | last) | HIGH) - floor);
        if (((repeats << 7) & HIGH & ~there) != 0) break;
      }
      last = <u32> (w >> 56);
    }
  }
  for (; i < n; i++) {
    const level: u32 = load<u8>(defs + i);
    const rep: u32 = load<u8>(reps + i);
    if (rep != 0 && min(level, last) < <u32> load<u8>(lists + rep)) {
      return <bool> fail(LIST_WITHOUT_ENTRY, rep, min(level, last));
    }
    last = level;
  }
  return true;
}
