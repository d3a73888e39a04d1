/** Reads a data page of the open chunk, V1 or V2: decompression, levels, then its values. */
import { Column, DOUBLE, FLOAT } from "./column";
import {
  BAD_COMPRESSION,
  BAD_LEVELS,
  fail,
  FIRST_REPETITION,
  NOT_COPIED,
  ROWS_DIFFER,
  TOO_MANY_VALUES,
  UNKNOWN_ENCODING,
  VALUES_DIFFER,
} from "./errors";
import { countMax, countZero, decodeBitPackedLevels, decodeLevels } from "./decode_hybrid";
import { inflate } from "./inflate";
import { levelBytes, levelStart } from "./level_stream";
import { reserve } from "./memory";
import { chunk } from "./open_chunk";
import * as page from "./page_header";
import { maxPageValues } from "./page_limits";
import { readNoValues, readValues } from "./page_values";
import { digestLevels, levelsNest } from "./siblings";
import { writeTail } from "./tail";
import { startBounds } from "./watched_bounds";

/** Scratch for a page's decompressed bytes, kept from page to page. */
let pageBuffer: usize = 0;

/** Whether there are levels, in the deprecated encoding. */
@inline
function isBitPacked(maxLevel: u32, encoding: i32): bool {
  return maxLevel > 0 && encoding == 4;
}

/** False with the error set; the column may hold some of the page then. */
export function readDataPage(c: Column, body: usize, size: u32): bool {
  const n = <u32> page.numValues;
  if (<i64> n > chunk.valuesLeft) return <bool> fail(VALUES_DIFFER, n, chunk.valuesLeft);
  // DuckDB and hyparquet take them for RLE whatever the header says
  if (
    chunk.copied && page.pageType == page.DATA_PAGE &&
    (isBitPacked(chunk.maxDef, page.defEncoding) || isBitPacked(chunk.maxRep, page.repEncoding))
  ) {
    return <bool> fail(NOT_COPIED);
  }
  // BYTE_STREAM_SPLIT is for other types too since parquet-format 2.11; DuckDB 1.5 reads no such file
  if (
    chunk.copied && page.encoding == 9 && chunk.type != FLOAT &&
    chunk.type != DOUBLE
  ) {
    return <bool> fail(NOT_COPIED);
  }
  // also of a page without values: readers don't skip its header
  if (!page.isEncoding(page.encoding)) return <bool> fail(UNKNOWN_ENCODING, page.encoding);
  if (n > maxPageValues) return <bool> fail(TOO_MANY_VALUES, n, maxPageValues);
  const uncompressed = <u32> page.uncompressedSize;
  const v2 = page.pageType == page.DATA_PAGE_V2;
  let p: usize;
  let end: usize;
  let levels: usize = 0;
  let packedAt: usize = 0;
  let packedLength: u32 = 0;
  if (v2) {
    const levelBytes = <u64> page.defLength + page.repLength;
    if (levelBytes > size || levelBytes > uncompressed) {
      return <bool> fail(BAD_LEVELS, levelBytes, size);
    }
    // of a column that has no such levels some readers don't pass over their bytes
    const unread = (chunk.maxDef == 0 && page.defLength != 0) || (chunk.maxRep == 0 && page.repLength != 0);
    if (chunk.copied && unread) return <bool> fail(NOT_COPIED);
    levels = body;
    p = body + <usize> levelBytes;
    const packed = size - <u32> levelBytes;
    const plain = uncompressed - <u32> levelBytes;
    if (page.isCompressed && chunk.codec != 0 && (packed != 0 || plain != 0)) {
      const room = reserve(pageBuffer, 0, plain);
      if (room == 0) return false;
      pageBuffer = room;
      if (!inflate(p, packed, pageBuffer, plain)) return false;
      if (chunk.codec == 1) {
        packedAt = p;
        packedLength = packed;
      }
      p = pageBuffer;
      end = p + plain;
    } else {
      if (packed != plain) return <bool> fail(BAD_COMPRESSION, packed, plain);
      end = p + packed;
    }
  } else if (chunk.codec == 0) {
    if (size != uncompressed) return <bool> fail(BAD_COMPRESSION, size, uncompressed);
    p = body;
    end = p + size;
  } else {
    const room = reserve(pageBuffer, 0, uncompressed);
    if (room == 0) return false;
    pageBuffer = room;
    if (!inflate(body, size, pageBuffer, uncompressed)) return false;
    // levels of V1 lie in the same stream
    if (chunk.codec == 1 && chunk.maxDef == 0 && chunk.maxRep == 0) {
      packedAt = body;
      packedLength = size;
    }
    p = pageBuffer;
    end = p + uncompressed;
  }
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
    let ok: bool;
    if (v2) ok = decodeLevels(levels, levels + page.repLength, chunk.maxRep, n, dst);
    else if (page.repEncoding == 3) {
      const start = levelStart(p, end);
      ok = start != 0 && decodeLevels(start, start + levelBytes, chunk.maxRep, n, dst);
      p = start + levelBytes;
    } else if (page.repEncoding == 4) {
      const taken = decodeBitPackedLevels(p, end, chunk.maxRep, n, dst);
      ok = taken >= 0;
      p += taken;
    } else ok = <bool> fail(UNKNOWN_ENCODING, page.repEncoding);
    if (!ok) return false;
    rows = countZero;
    if (chunk.firstPage && n > 0 && load<u8>(dst) != 0) return <bool> fail(FIRST_REPETITION);
  } else if (c.maxRep > 0) memory.fill(c.reps + base, 0, n);
  if (chunk.maxDef > 0) {
    const dst = c.defs + base;
    let ok: bool;
    if (v2) {
      const start = levels + page.repLength;
      ok = decodeLevels(start, start + page.defLength, chunk.maxDef, n, dst);
    } else if (page.defEncoding == 3) {
      const start = levelStart(p, end);
      ok = start != 0 && decodeLevels(start, start + levelBytes, chunk.maxDef, n, dst);
      p = start + levelBytes;
    } else if (page.defEncoding == 4) {
      const taken = decodeBitPackedLevels(p, end, chunk.maxDef, n, dst);
      ok = taken >= 0;
      p += taken;
    } else ok = <bool> fail(UNKNOWN_ENCODING, page.defEncoding);
    if (!ok) return false;
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
