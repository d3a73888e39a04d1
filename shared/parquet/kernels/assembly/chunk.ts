/**
 * Reads a column chunk's pages and appends them to an output column. The chunk's bytes may come in parts that are cut
 * anywhere: bytes that don't hold a whole page yet are left for the next call.
 */
import { Column } from "./column";
import { readDataPage } from "./data_page";
import { dictionaryStands, readDictionary } from "./dictionary_page";
import {
  BAD_COMPRESSION,
  BAD_CRC,
  BAD_HEADER,
  BAD_LEVELS,
  fail,
  NO_DICTIONARY,
  NOT_COPIED,
  PAGE_PAST_CHUNK,
  PAGE_TOO_LARGE,
  ROWS_DIFFER,
  UNKNOWN_ENCODING,
  V2_DIFFERS,
  VALUES_DIFFER,
} from "./errors";
import * as host from "./host";
import { chunk } from "./open_chunk";
import * as page from "./page_header";
import { maxPageBytes } from "./page_limits";
import { LeafLevels, startLevels } from "./siblings";
import { snappyHolds } from "./snappy";

/**
 * Opens a chunk; `levelMap` is 0 or the address of a table from source to target definition levels. `check` says what
 * happens to its pages: 0 appends them; 1 decodes them and throws them away; 2 is for chunks that are copied as bytes: it
 * does as 1, and refuses what other readers would read otherwise. `levels` is 0 or the leaf's entry among those that
 * {@link levelsAgree} compares.
 */
export function openChunk(
  type: u32,
  width: u32,
  maxDef: u32,
  maxRep: u32,
  chunkCodec: u32,
  values: f64,
  rows: f64,
  levelMap: usize,
  convert: u32,
  convertParameter: i32,
  check: u32,
  levels: usize,
): void {
  chunk.type = type;
  chunk.width = width;
  chunk.maxDef = maxDef;
  chunk.maxRep = maxRep;
  chunk.codec = chunkCodec;
  chunk.valuesLeft = <i64> values;
  chunk.rowsLeft = <i64> rows;
  chunk.defMap = levelMap;
  chunk.conversion = convert;
  chunk.parameter = convertParameter;
  chunk.discard = check != 0;
  chunk.copied = check == 2;
  chunk.rowsUnknown = false;
  chunk.whole = false;
  chunk.packedDictionary = 0;
  chunk.hasDictionary = false;
  chunk.dictionaryCount = 0;
  chunk.mappedFor = 0;
  chunk.pagesRead = 0;
  chunk.firstPage = true;
  chunk.levels = levels;
  if (levels != 0) startLevels(levels);
}

/** After the last part: whether all values and rows of the chunk were there. */
export function closeChunk(): bool {
  if (chunk.valuesLeft != 0) return <bool> fail(VALUES_DIFFER, chunk.valuesLeft);
  if (chunk.rowsLeft != 0 && !chunk.rowsUnknown) return <bool> fail(ROWS_DIFFER, chunk.rowsLeft);
  if (chunk.levels != 0) changetype<LeafLevels>(chunk.levels).whole = 1;
  return true;
}

/**
 * Appends the whole pages in [p, p + length). Gives the bytes consumed, or -1 on an error. With `last` a
 * page that isn't whole is an error. `onePage` stops after each page, so that pages can be cut or looked at.
 */
export function appendPages(
  column: usize,
  p: usize,
  length: u32,
  last: bool,
  onePage: bool,
): i32 {
  const c = changetype<Column>(column);
  const end = p + length;
  let at = p;
  while (at < end && chunk.valuesLeft > 0) {
    const headerLength = page.parsePageHeader(at, end);
    if (headerLength == 0) {
      // a header has at most some hundred bytes, unless its statistics are long
      if (!last && end - at < 65536) break;
      fail(BAD_HEADER, at - p);
      return -1;
    }
    const body = at + headerLength;
    const size = <u32> page.compressedSize;
    if (!sizesAllowed()) return -1;
    if (size > <u32> (end - body)) {
      if (!last) break;
      fail(PAGE_PAST_CHUNK, size, end - body);
      return -1;
    }
    if (page.hasCrc && host.crc32(body, size) != page.crc) {
      fail(BAD_CRC, page.crc);
      return -1;
    }
    const kind = page.pageType;
    if (kind == page.DATA_PAGE || kind == page.DATA_PAGE_V2) {
      if (!readDataPage(c, body, size)) return -1;
    } else if (kind == page.DICTIONARY_PAGE) {
      if (!readDictionary(c, body, size)) return -1;
    }
    // index pages, and types that are not known, are passed over
    chunk.pagesRead++;
    at = body + size;
    if (onePage) break;
  }
  return <i32> (at - p);
}

function sizesAllowed(): bool {
  const size = max(page.compressedSize, page.uncompressedSize);
  return <u32> size <= maxPageBytes || <bool> fail(PAGE_TOO_LARGE, size, maxPageBytes);
}

/** Bytes of a body in which a snappy stream says what it holds. */
const SNAPPY_PREAMBLE: u32 = 5;

/**
 * Counts the page at the beginning of [p, p + length), which need not hold more of its body than the first 5 bytes. For
 * what an earlier merge wrote: the host finds the CRC of the body where it lies (getPageCrc), which says that it is as it
 * was written. The CRC does not cover the header, so that is checked here. Gives the header's length; 0 when it isn't
 * there as a whole, -1 on an error: NOT_COPIED of a page without a CRC, which nothing was counted of.
 */
export function countPage(p: usize, length: u32): i32 {
  const headerLength = page.parsePageHeader(p, p + length);
  const size = <u32> page.compressedSize;
  if (headerLength == 0 || length - headerLength < min<u32>(size, SNAPPY_PREAMBLE)) return 0;
  if (!page.hasCrc) {
    fail(NOT_COPIED);
    return -1;
  }
  if (!sizesAllowed()) return -1;
  // there is nothing that neighbours could be compared with
  chunk.levels = 0;
  const kind = page.pageType;
  const body = p + headerLength;
  if (kind == page.DICTIONARY_PAGE) {
    if (!dictionaryStands()) return -1;
    chunk.hasDictionary = true;
  } else if (kind != page.INDEX_PAGE && !countValues(kind, size)) return -1;
  if (kind != page.DATA_PAGE_V2 && kind != page.INDEX_PAGE && !bodyHolds(body, size)) return -1;
  chunk.pagesRead++;
  return headerLength;
}

/** Whether the body of a V1 or dictionary page can hold what its header declares, as far as its beginning tells. */
function bodyHolds(body: usize, size: u32): bool {
  const plain = <u32> page.uncompressedSize;
  const holds = chunk.codec == 0 ? size == plain : chunk.codec != 1 || snappyHolds(body, size, plain);
  return holds || <bool> fail(BAD_COMPRESSION, size, plain);
}

function countValues(kind: i32, size: u32): bool {
  if (<i64> page.numValues > chunk.valuesLeft) return <bool> fail(VALUES_DIFFER, page.numValues, chunk.valuesLeft);
  const e = page.encoding;
  // 4 is of levels only
  if (!page.isEncoding(e) || e == 4) return <bool> fail(UNKNOWN_ENCODING, e);
  if ((e == 2 || e == 8) && !chunk.hasDictionary && chunk.maxDef == 0) return <bool> fail(NO_DICTIONARY);
  const plain = <u32> page.uncompressedSize;
  if (kind == page.DATA_PAGE) {
    if (!knownLevels(chunk.maxDef, page.defEncoding) || !knownLevels(chunk.maxRep, page.repEncoding)) {
      return <bool> fail(UNKNOWN_ENCODING, page.defEncoding, page.repEncoding);
    }
  } else {
    const levels = <u64> page.defLength + page.repLength;
    if (levels > size || levels > plain) return <bool> fail(BAD_LEVELS, levels, size);
    if ((chunk.codec == 0 || !page.isCompressed) && size != plain) return <bool> fail(BAD_COMPRESSION, size, plain);
    if (<i64> page.numRows > chunk.rowsLeft) return <bool> fail(ROWS_DIFFER, page.numRows, chunk.rowsLeft);
    if (chunk.maxRep == 0 && page.numRows != page.numValues) return <bool> fail(V2_DIFFERS, page.numRows);
  }
  chunk.valuesLeft -= page.numValues;
  chunk.firstPage = false;
  if (kind == page.DATA_PAGE_V2) chunk.rowsLeft -= page.numRows;
  else if (chunk.maxRep == 0) chunk.rowsLeft -= page.numValues;
  else chunk.rowsUnknown = true;
  return true;
}

/** Whether all values of the chunk were read or counted: what stands behind is passed over. */
export function chunkIsRead(): bool {
  return chunk.valuesLeft <= 0;
}

@inline
function knownLevels(maxLevel: u32, encoding: i32): bool {
  return maxLevel == 0 || encoding == 3 || encoding == 4;
}

/** Whether the data page that was read last, and thrown away, begins with a row. */
export function pageStartsRow(column: usize): bool {
  return chunk.maxRep == 0 || load<u8>(changetype<Column>(column).reps) == 0;
}

/** Whether the page's header is there and has a CRC. */
export function startsWithCrc(p: usize, length: u32): bool {
  return page.parsePageHeader(p, p + length) != 0 && page.hasCrc;
}
