/** Nulls at the end of a column's pending part that are only counted (column.ts, `tail`). */
import { Column } from "./column";
import { reserve } from "./memory";

/** Writes the first `n` of the tail into the levels; false when memory is over. */
export function writeSome(c: Column, n: u32): bool {
  if (n == 0) return true;
  const stored = c.count - c.tail;
  const defs = reserve(c.defs, stored, stored + n + 8);
  if (defs == 0) return false;
  c.defs = defs;
  memory.fill(defs + stored, <u8> c.tailDef, n);
  if (c.maxRep > 0) {
    const reps = reserve(c.reps, stored, stored + n + 8);
    if (reps == 0) return false;
    c.reps = reps;
    memory.fill(reps + stored, 0, n);
  }
  c.tail -= n;
  return true;
}

/** Writes all of the tail, so that entries can be appended behind it. */
@inline
export function writeTail(c: Column): bool {
  return c.tail == 0 || writeSome(c, c.tail);
}
