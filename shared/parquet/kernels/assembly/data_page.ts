/** Reads a data page of the open chunk, V1 or V2: its body, levels, then its values. */
import { Column } from "./column";
import { fail, FIRST_REPETITION, NOT_COPIED, ROWS_DIFFER, TOO_MANY_VALUES, UNKNOWN_ENCODING, VALUES_DIFFER } from "./errors";
import { countMax, countZero, decodeLevels } from "./decode_hybrid";
import { levelBytes, levelStart } from "./level_stream";
import { reserve } from "./memory";
import { chunk } from "./open_chunk";
import { bodyAt, bodyEnd, packedAt, packedLength, unpackBody } from "./page_body";
import * as page from "./page_header";
import { maxPageValues } from "./page_limits";
import { readNoValues, readValues } from "./page_values";
import { mayBeCopied, otherLevels, otherLevelsEnd } from "./rare_pages";
import { digestLevels, levelsNest } from "./siblings";
import { writeTail } from "./tail";
import { startBounds } from "./watched_bounds";

/** False with the error set; the column may hold some of the page then. */
export function readDataPage(c: Column, body: usize, size: u32): bool {
  const n = <u32> page.numValues;
  if (<i64> n > chunk.valuesLeft) return <bool> fail(VALUES_DIFFER, n, chunk.valuesLeft);
  if (chunk.copied && !mayBeCopied()) return false;
  // also of a page without values: readers don't skip its header
  if (!page.isEncoding(page.encoding)) return <bool> fail(UNKNOWN_ENCODING, page.encoding);
  if (n > maxPageValues) return <bool> fail(TOO_MANY_VALUES, n, maxPageValues);
  if (!unpackBody(body, size)) return false;
  const v2 = page.pageType == page.DATA_PAGE_V2;
  let p = bodyAt;
  const end = bodyEnd;
  if (chunk.discard) {
    // checked into a column that is emptied: the page's levels and values are decoded all the same
    c.count = 0;
    c.rows = 0;
    c.present = 0;
    c.valueBytes = 0;
    startBounds(c);
  }

  if (!writeTail(c)) return false;
  // levels: repetition first
  const base = c.count;
  let rows = n;
  let present = n;
  if (c.maxRep > 0 || chunk.maxRep > 0) {
    const grown2 = reserve(c.reps, base, base + n + 8);
    if (grown2 == 0) return false;
    c.reps = grown2;
  }
  if (c.maxDef > 0 || chunk.maxDef > 0) {
    const grown3 = reserve(c.defs, base, base + n + 8);
    if (grown3 == 0) return false;
    c.defs = grown3;
  }
  if (chunk.maxRep > 0) {
    const dst = c.reps + base;
    if (!v2 && page.repEncoding == 3) {
      const start = levelStart(p, end);
      if (start == 0 || !decodeLevels(start, start + levelBytes, chunk.maxRep, n, dst)) return false;
      p = start + levelBytes;
    } else {
      if (!otherLevels(body, true, p, end, n, dst)) return false;
      p = otherLevelsEnd;
    }
    rows = countZero;
    if (chunk.firstPage && n > 0 && load<u8>(dst) != 0) return <bool> fail(FIRST_REPETITION);
  } else if (c.maxRep > 0) memory.fill(c.reps + base, 0, n);
  if (chunk.maxDef > 0) {
    const dst = c.defs + base;
    if (!v2 && page.defEncoding == 3) {
      const start = levelStart(p, end);
      if (start == 0 || !decodeLevels(start, start + levelBytes, chunk.maxDef, n, dst)) return false;
      p = start + levelBytes;
    } else {
      if (!otherLevels(body, false, p, end, n, dst)) return false;
      p = otherLevelsEnd;
    }
    present = countMax;
    if (chunk.levels != 0) {
      const reps = chunk.maxRep > 0 ? c.reps + base : 0;
      digestLevels(reps, dst, n, present == n && rows == n);
      if (!levelsNest(reps, dst, n, rows != n)) return false;
    }
    if (chunk.defMap != 0) {
      for (let i: u32 = 0; i < n; i++) store<u8>(dst + i, load<u8>(chunk.defMap + load<u8>(dst + i)));
    }
  } else if (c.maxDef > 0) memory.fill(c.defs + base, <u8> c.maxDef, n);
  // the levels tell; such a header is not passed on to readers that believe it
  if (v2 && chunk.copied && (<u32> page.numRows != rows || <u32> page.numNulls != n - present)) {
    return <bool> fail(NOT_COPIED);
  }
  if (<i64> rows > chunk.rowsLeft) return <bool> fail(ROWS_DIFFER, rows, chunk.rowsLeft);

  // values; the counts move only when they are in
  if (present > 0 ? !readValues(c, p, end, present, packedAt, packedLength) : n > 0 && !readNoValues(p, end)) return false;
  c.count = base + n;
  c.rows += rows;
  c.present += present;
  chunk.valuesLeft -= n;
  chunk.rowsLeft -= rows;
  chunk.firstPage = chunk.firstPage && n == 0;
  return true;
}
