/** Fills a column that the source lacks. */
import { Column } from "./column";
import { reserve } from "./memory";
import { writeTail } from "./tail";

/** Appends `rows` rows that are null from definition level `level` down. */
export function appendNulls(column: usize, rows: u32, level: u32): bool {
  const c = changetype<Column>(column);
  if (c.tail != 0 && c.tailDef != level && !writeTail(c)) return false;
  c.tailDef = level;
  c.tail += rows;
  c.count += rows;
  c.rows += rows;
  return true;
}

/** The level that the sibling's entries have there, if they are rows of one level each; else 0xffffffff. */
function commonLevel(s: Column, from: u32, maxDef: u32): u32 {
  if (s.maxRep > 0) {
    for (let i = from; i < s.count; i++) if (load<u8>(s.reps + i) != 0) return 0xffffffff;
  }
  if (s.maxDef == 0) return 0;
  const level = min<u32>(load<u8>(s.defs + from), maxDef);
  for (let i = from + 1; i < s.count; i++) {
    if (min<u32>(load<u8>(s.defs + i), maxDef) != level) return 0xffffffff;
  }
  return level;
}

/**
 * Fills a nested leaf that the source lacks: the sibling's levels from entry `from` on, without those that
 * repeat deeper than the common ancestor (`maxRep`), definition cut at the ancestor's (`maxDef`).
 */
export function appendFromSibling(
  column: usize,
  sibling: usize,
  from: u32,
  maxRep: u32,
  maxDef: u32,
): bool {
  const c = changetype<Column>(column);
  const s = changetype<Column>(sibling);
  if (!writeTail(s)) return false;
  const n = s.count - from;
  if (n == 0) return true;
  const level = commonLevel(s, from, maxDef);
  if (level != 0xffffffff) return appendNulls(column, n, level);
  if (!writeTail(c)) return false;
  const defs = reserve(c.defs, c.count, c.count + n + 8);
  if (defs == 0) return false;
  c.defs = defs;
  if (c.maxRep > 0) {
    const reps = reserve(c.reps, c.count, c.count + n + 8);
    if (reps == 0) return false;
    c.reps = reps;
  }
  for (let i = from; i < s.count; i++) {
    const rep: u32 = s.maxRep > 0 ? load<u8>(s.reps + i) : 0;
    if (rep > maxRep) continue;
    const def: u32 = s.maxDef > 0 ? load<u8>(s.defs + i) : 0;
    store<u8>(defs + c.count, min<u32>(def, maxDef));
    if (c.maxRep > 0) store<u8>(c.reps + c.count, rep);
    if (rep == 0) c.rows++;
    c.count++;
  }
  return true;
}
