/** Appends a whole row group, whose chunks lie in memory, to the output's columns by a source plan. */
import { appendPages, closeChunk, openChunk } from "./chunk";
import { Column, checkpoint, DICTIONARY, OPEN, PLAIN } from "./column";
import { appendFromSibling, appendNulls } from "./missing_leaf";
import { chunk } from "./open_chunk";
import { levelsBeforeRows } from "./pending";
import { LeafLevels, levelsAgree } from "./siblings";

export const FROM_PAGES: u32 = 0;
export const NULLS: u32 = 1;
export const SIBLING: u32 = 2;

/** How an output column is filled; one for each, in order, as TypeScript lays them out (u32 fields). */
@unmanaged
export class Source {
  kind: u32;
  leaf: u32;
  type: u32;
  width: u32;
  maxDef: u32;
  maxRep: u32;
  levelMap: u32;
  conversion: u32;
  parameter: i32;
  /** SIBLING: the column whose levels are copied; NULLS uses `definition`. */
  sibling: u32;
  repetition: u32;
  definition: u32;
}

let failedColumn: u32 = 0;

/** The column at which {@link appendGroup} failed. */
export function getFailedColumn(): u32 {
  return failedColumn;
}

/**
 * Appends one row group: `group` is its entry of the table (rows, then {start, length, codec, values} a source
 * leaf), `file` the address of the file's first byte, `levels` 0 or what the source's `leaves` share (siblings.ts).
 */
export function appendGroup(
  columns: usize,
  sources: usize,
  count: u32,
  group: usize,
  file: usize,
  levels: usize,
  leaves: u32,
): bool {
  const rows = load<u32>(group);
  let siblings = false;
  for (let i: u32 = 0; i < count; i++) {
    const s = changetype<Source>(sources + i * <u32> offsetof<Source>());
    const column: usize = load<u32>(columns + (<usize> i << 2));
    failedColumn = i;
    if (s.kind == FROM_PAGES) {
      const entry = group + 4 + (<usize> s.leaf << 4);
      openChunk(
        s.type,
        s.width,
        s.maxDef,
        s.maxRep,
        load<u32>(entry + 8),
        <f64> load<u32>(entry + 12),
        <f64> rows,
        s.levelMap,
        s.conversion,
        s.parameter,
        0,
        levels == 0 ? 0 : levels + s.leaf * offsetof<LeafLevels>(),
      );
      chunk.whole = true;
      if (appendPages(column, file + load<u32>(entry), load<u32>(entry + 4), true, false) < 0) return false;
      if (!closeChunk()) return false;
    } else if (s.kind == NULLS) {
      if (!appendNulls(column, rows, s.definition)) return false;
    } else siblings = true;
  }
  if (levels != 0 && !levelsAgree(levels, leaves)) return false;
  if (siblings) {
    for (let i: u32 = 0; i < count; i++) {
      const s = changetype<Source>(sources + i * <u32> offsetof<Source>());
      if (s.kind != SIBLING) continue;
      failedColumn = i;
      const from = levelsBeforeRows(s.sibling, rows);
      const column: usize = load<u32>(columns + (<usize> i << 2));
      if (!appendFromSibling(column, s.sibling, from, s.repetition, s.definition)) return false;
    }
  }
  return true;
}

let pending: f64 = 0;

/** About the bytes that the pending parts will take in the file, after {@link commitColumns}. */
export function pendingBytes(): f64 {
  return pending;
}

/**
 * Sets the checkpoint of all columns. Gives whether one of them has a page to cut or a choice to make:
 * `pageRows` rows, `pageBytes` of values, `early` or `enough` values while it is open, a dictionary over
 * `dictionaryBytes`.
 */
export function commitColumns(
  columns: usize,
  count: u32,
  pageRows: u32,
  pageBytes: u32,
  early: u32,
  enough: u32,
  dictionaryBytes: u32,
): bool {
  let due = false;
  let bytes: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const column: usize = load<u32>(columns + (<usize> i << 2));
    const c = changetype<Column>(column);
    const before = c.keptPresent;
    checkpoint(column);
    if (c.rows >= pageRows) due = true;
    if (c.mode == PLAIN) {
      bytes += c.valueBytes >> 1;
      if (c.valueBytes >= pageBytes) due = true;
    } else {
      bytes += c.present + c.entryBytes;
      if (c.mode == OPEN && ((before < early && c.present >= early) || c.present >= enough)) due = true;
      if (c.mode == DICTIONARY && c.entryBytes > dictionaryBytes) due = true;
    }
  }
  pending = <f64> bytes;
  return due;
}

