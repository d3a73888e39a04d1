/**
 * Reads a column chunk's pages and appends them to an output column. One chunk is open at a time; its
 * bytes may come in parts, cut anywhere: what doesn't hold a whole page yet is left for the next call.
 */
import { BOOLEAN, BYTE_ARRAY, Column, FIXED, INT32, INT64, PLAIN } from "./column";
import { convertedBytes, convertedPtr, convertValues, KEEP } from "./convert";
import {
  decodeDelta,
  decodeDeltaLength,
  decodeDeltaStrings,
  decodeSplit,
  plainLength,
  plainPtr,
} from "./delta";
import {
  BAD_COMPRESSION,
  BAD_CRC,
  BAD_HEADER,
  BAD_LEVELS,
  fail,
  FIRST_REPETITION,
  NO_DICTIONARY,
  NO_TEXT,
  PAGE_PAST_CHUNK,
  PAGE_TOO_LARGE,
  ROWS_DIFFER,
  SECOND_DICTIONARY,
  TOO_MANY_VALUES,
  UNKNOWN_CODEC,
  UNKNOWN_ENCODING,
  V2_DIFFERS,
  VALUES_DIFFER,
  VALUES_SHORT,
} from "./errors";
import { countMax, countZero, decodeBitPackedLevels, decodeIndices, decodeLevels } from "./hybrid";
import * as host from "./host";
import { internPlain } from "./intern";
import { lz4Decode, lz4HadoopDecode } from "./lz4";
import { alloc, free, reserve } from "./memory";
import * as page from "./page_header";
import { snappyDecode, snappyHolds } from "./snappy";
import { firstNoText } from "./text";

// limits, set once
let maxPageBytes: u32 = 0;
let maxPageValues: u32 = 0;

export function setPageLimits(bytes: u32, values: u32): void {
  maxPageBytes = bytes;
  maxPageValues = values;
}

// the open chunk: what the source says of itself
let sourceType: u32 = 0;
let sourceWidth: u32 = 0;
let sourceMaxDef: u32 = 0;
let sourceMaxRep: u32 = 0;
let codec: u32 = 0;
let valuesLeft: i64 = 0;
let rowsLeft: i64 = 0;
let defMap: usize = 0;
let conversion: u32 = 0;
let conversionParameter: i32 = 0;
// its dictionary, converted already
let dictionary: usize = 0;
let dictionaryBytes: u32 = 0;
let dictionaryCount: u32 = 0;
let hasDictionary = false;
let dictionaryStarts: usize = 0;
let mapping: usize = 0;
let mappedFor: usize = 0;
let pagesRead: u32 = 0;
let firstPage = true;
// scratch that is kept from page to page
let pageBuffer: usize = 0;
let dictionaryBuffer: usize = 0;
let indexBuffer: usize = 0;
/** Checked and thrown away instead of appended, when set. */
let discard = false;
/** A page whose CRC was right need not be decoded, when set. */
let crcSuffices = false;
let rowsUnknown = false;

/** Pages of the open chunk that were read, for messages. */
export function getPagesRead(): u32 {
  return pagesRead;
}

/**
 * Opens a chunk; `levelMap` is 0 or the address of a table from source to target definition levels. `check`: 0
 * to append, 1 to decode and throw away, 2 the same without decoding pages whose CRC is right.
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
): void {
  sourceType = type;
  sourceWidth = width;
  sourceMaxDef = maxDef;
  sourceMaxRep = maxRep;
  codec = chunkCodec;
  valuesLeft = <i64> values;
  rowsLeft = <i64> rows;
  defMap = levelMap;
  conversion = convert;
  conversionParameter = convertParameter;
  discard = check != 0;
  crcSuffices = check == 2;
  rowsUnknown = false;
  hasDictionary = false;
  dictionaryCount = 0;
  mappedFor = 0;
  pagesRead = 0;
  firstPage = true;
}

/** After the last part: whether all values and rows of the chunk were there. */
export function closeChunk(): bool {
  if (valuesLeft != 0) return <bool> fail(VALUES_DIFFER, valuesLeft);
  if (rowsLeft != 0 && !rowsUnknown) return <bool> fail(ROWS_DIFFER, rowsLeft);
  return true;
}

/**
 * Appends the whole pages in [p, p + length). Gives the bytes consumed, or -1 on an error. With `last` a
 * page that isn't whole is an error. `oneDataPage` stops after one data page, so that pages can be cut.
 */
export function appendPages(
  column: usize,
  p: usize,
  length: u32,
  last: bool,
  oneDataPage: bool,
): i32 {
  const c = changetype<Column>(column);
  const end = p + length;
  let at = p;
  while (at < end && valuesLeft > 0) {
    const headerLength = page.parsePageHeader(at, end);
    if (headerLength == 0) {
      // a header has at most some hundred bytes, unless its statistics are long
      if (!last && end - at < 65536) break;
      fail(BAD_HEADER, at - p);
      return -1;
    }
    const body = at + headerLength;
    const size = <u32> page.compressedSize;
    if (size > maxPageBytes || <u32> page.uncompressedSize > maxPageBytes) {
      fail(PAGE_TOO_LARGE, max(page.compressedSize, page.uncompressedSize), maxPageBytes);
      return -1;
    }
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
      if (crcSuffices && page.hasCrc) {
        if (!countPage(kind, body, size)) return -1;
      } else if (!readDataPage(c, body, size)) return -1;
    } else if (kind == page.DICTIONARY_PAGE) {
      if (!readDictionary(c, body, size)) return -1;
    }
    // index pages, and types that are not known, are passed over
    pagesRead++;
    at = body + size;
    if (oneDataPage && kind != page.DICTIONARY_PAGE) break;
  }
  return <i32> (at - p);
}

/** Counts a page whose body's CRC was right; the CRC does not cover the header, so that is checked here. */
function countPage(kind: i32, body: usize, size: u32): bool {
  if (<i64> page.numValues > valuesLeft) return <bool> fail(VALUES_DIFFER, page.numValues, valuesLeft);
  const e = page.encoding;
  if (e < 0 || e > 9 || e == 1 || e == 4) return <bool> fail(UNKNOWN_ENCODING, e);
  if ((e == 2 || e == 8) && !hasDictionary && sourceMaxDef == 0) return <bool> fail(NO_DICTIONARY);
  const plain = <u32> page.uncompressedSize;
  if (kind == page.DATA_PAGE) {
    if (!knownLevels(sourceMaxDef, page.defEncoding) || !knownLevels(sourceMaxRep, page.repEncoding)) {
      return <bool> fail(UNKNOWN_ENCODING, page.defEncoding, page.repEncoding);
    }
    if (codec == 0 ? size != plain : codec == 1 && !snappyHolds(body, size, plain)) {
      return <bool> fail(BAD_COMPRESSION, size, plain);
    }
  } else {
    const levels = <u64> page.defLength + page.repLength;
    if (levels > size || levels > plain) return <bool> fail(BAD_LEVELS, levels, size);
    if ((codec == 0 || !page.isCompressed) && size != plain) return <bool> fail(BAD_COMPRESSION, size, plain);
    if (<i64> page.numRows > rowsLeft) return <bool> fail(ROWS_DIFFER, page.numRows, rowsLeft);
    if (sourceMaxRep == 0 && page.numRows != page.numValues) return <bool> fail(V2_DIFFERS, page.numRows);
  }
  valuesLeft -= page.numValues;
  firstPage = false;
  if (kind == page.DATA_PAGE_V2) rowsLeft -= page.numRows;
  else if (sourceMaxRep == 0) rowsLeft -= page.numValues;
  else rowsUnknown = true;
  return true;
}

@inline
function knownLevels(maxLevel: u32, encoding: i32): bool {
  return maxLevel == 0 || encoding == 3 || encoding == 4;
}

/** The bytes that the next page of the chunk needs to be whole; 0 when its header isn't there. */
export function nextPageBytes(p: usize, length: u32): u32 {
  const headerLength = page.parsePageHeader(p, p + length);
  return headerLength == 0 ? 0 : headerLength + <u32> page.compressedSize;
}

/** Decompresses into `dst`, which has room for `dstLen` bytes and slack. */
function inflate(src: usize, srcLen: u32, dst: usize, dstLen: u32): bool {
  if (codec == 1) return snappyDecode(src, srcLen, dst, dstLen);
  if (codec == 7) return lz4Decode(src, srcLen, dst, dstLen);
  if (codec == 5) return lz4HadoopDecode(src, srcLen, dst, dstLen);
  if (codec == 2 || codec == 4 || codec == 6) {
    if (dstLen == 0 && srcLen == 0) return true;
    const done = host.inflate(codec, src, srcLen, dst, dstLen);
    if (done == 1) return true;
    if (done == 0) return <bool> fail(BAD_COMPRESSION, 0);
  }
  return <bool> fail(UNKNOWN_CODEC, codec);
}

function readDictionary(c: Column, body: usize, size: u32): bool {
  if (hasDictionary || pagesRead > 0 && !firstPage) return <bool> fail(SECOND_DICTIONARY);
  const n = <u32> page.numValues;
  const encoding = page.encoding;
  if (encoding != 0 && encoding != 2) return <bool> fail(UNKNOWN_ENCODING, encoding);
  if (n > maxPageValues) return <bool> fail(TOO_MANY_VALUES, n, maxPageValues);
  const uncompressed = <u32> page.uncompressedSize;
  // the entries stay in a buffer of their own while the chunk is open
  const grown1 = reserve(dictionaryBuffer, 0, uncompressed);
  if (grown1 == 0) return false;
  dictionaryBuffer = grown1;
  if (codec == 0) {
    if (size != uncompressed) return <bool> fail(BAD_COMPRESSION, size, uncompressed);
    memory.copy(dictionaryBuffer, body, size);
  } else if (!inflate(body, size, dictionaryBuffer, uncompressed)) return false;
  let bytes = plainExtent(dictionaryBuffer, uncompressed, n);
  if (bytes == 0xffffffff) return <bool> fail(VALUES_SHORT, 0, n);
  if (c.text != 0 && !checkText(dictionaryBuffer, bytes, n)) return false;
  if (conversion != KEEP) {
    if (!convertValues(conversion, conversionParameter, dictionaryBuffer, bytes, n)) {
      free(convertedPtr);
      return false;
    }
    free(dictionaryBuffer);
    dictionaryBuffer = convertedPtr;
    bytes = convertedBytes;
  }
  dictionary = dictionaryBuffer;
  dictionaryBytes = bytes;
  dictionaryCount = n;
  hasDictionary = true;
  mappedFor = 0;
  return true;
}

/** The bytes that `n` PLAIN values of the source take at `p`, or 0xffffffff when they aren't all there. */
function plainExtent(p: usize, available: u32, n: u32): u32 {
  if (sourceType == BYTE_ARRAY) {
    const end = p + available;
    let at = p;
    for (let i: u32 = 0; i < n; i++) {
      if (<u32> (end - at) < 4) return 0xffffffff;
      const length = load<u32>(at);
      at += 4;
      if (length > <u32> (end - at)) return 0xffffffff;
      at += length;
    }
    return <u32> (at - p);
  }
  const bytes: u64 = sourceType == BOOLEAN ? (<u64> n + 7) >> 3 : <u64> n * sourceWidth;
  return bytes > available ? 0xffffffff : <u32> bytes;
}

function readDataPage(c: Column, body: usize, size: u32): bool {
  const n = <u32> page.numValues;
  if (<i64> n > valuesLeft) return <bool> fail(VALUES_DIFFER, n, valuesLeft);
  if (n > maxPageValues) return <bool> fail(TOO_MANY_VALUES, n, maxPageValues);
  const uncompressed = <u32> page.uncompressedSize;
  const v2 = page.pageType == page.DATA_PAGE_V2;
  let p: usize;
  let end: usize;
  let levels: usize = 0;
  if (v2) {
    const levelBytes = <u64> page.defLength + page.repLength;
    if (levelBytes > size || levelBytes > uncompressed) {
      return <bool> fail(BAD_LEVELS, levelBytes, size);
    }
    levels = body;
    p = body + <usize> levelBytes;
    const packed = size - <u32> levelBytes;
    const plain = uncompressed - <u32> levelBytes;
    if (page.isCompressed && codec != 0 && (packed != 0 || plain != 0)) {
      const room = reserve(pageBuffer, 0, plain);
      if (room == 0) return false;
      pageBuffer = room;
      if (!inflate(p, packed, pageBuffer, plain)) return false;
      p = pageBuffer;
      end = p + plain;
    } else {
      if (packed != plain) return <bool> fail(BAD_COMPRESSION, packed, plain);
      end = p + packed;
    }
  } else if (codec == 0) {
    if (size != uncompressed) return <bool> fail(BAD_COMPRESSION, size, uncompressed);
    p = body;
    end = p + size;
  } else {
    const room = reserve(pageBuffer, 0, uncompressed);
    if (room == 0) return false;
    pageBuffer = room;
    if (!inflate(body, size, pageBuffer, uncompressed)) return false;
    p = pageBuffer;
    end = p + uncompressed;
  }
  if (discard) {
    // checked into a column that is emptied: the page's levels and values are decoded all the same
    c.count = 0;
    c.rows = 0;
    c.present = 0;
    c.valueBytes = 0;
  }

  // levels: repetition first
  const base = c.count;
  let rows = n;
  let present = n;
  if (c.maxRep > 0 || sourceMaxRep > 0) {
    const grown2 = reserve(c.reps, base, base + n + 8);
    if (grown2 == 0) return false;
    c.reps = grown2;
  }
  if (c.maxDef > 0 || sourceMaxDef > 0) {
    const grown3 = reserve(c.defs, base, base + n + 8);
    if (grown3 == 0) return false;
    c.defs = grown3;
  }
  if (sourceMaxRep > 0) {
    const dst = c.reps + base;
    let ok: bool;
    if (v2) ok = decodeLevels(levels, levels + page.repLength, sourceMaxRep, n, dst);
    else if (page.repEncoding == 3) {
      const start = levelStart(p, end);
      ok = start != 0 && decodeLevels(start, start + levelBytes, sourceMaxRep, n, dst);
      p = start + levelBytes;
    } else if (page.repEncoding == 4) {
      const taken = decodeBitPackedLevels(p, end, sourceMaxRep, n, dst);
      ok = taken >= 0;
      p += taken;
    } else ok = <bool> fail(UNKNOWN_ENCODING, page.repEncoding);
    if (!ok) return false;
    rows = countZero;
    if (firstPage && n > 0 && load<u8>(dst) != 0) return <bool> fail(FIRST_REPETITION);
  } else if (c.maxRep > 0) memory.fill(c.reps + base, 0, n);
  if (sourceMaxDef > 0) {
    const dst = c.defs + base;
    let ok: bool;
    if (v2) {
      const start = levels + page.repLength;
      ok = decodeLevels(start, start + page.defLength, sourceMaxDef, n, dst);
    } else if (page.defEncoding == 3) {
      const start = levelStart(p, end);
      ok = start != 0 && decodeLevels(start, start + levelBytes, sourceMaxDef, n, dst);
      p = start + levelBytes;
    } else if (page.defEncoding == 4) {
      const taken = decodeBitPackedLevels(p, end, sourceMaxDef, n, dst);
      ok = taken >= 0;
      p += taken;
    } else ok = <bool> fail(UNKNOWN_ENCODING, page.defEncoding);
    if (!ok) return false;
    present = countMax;
    if (defMap != 0) {
      for (let i: u32 = 0; i < n; i++) store<u8>(dst + i, load<u8>(defMap + load<u8>(dst + i)));
    }
  } else if (c.maxDef > 0) memory.fill(c.defs + base, <u8> c.maxDef, n);
  if (v2) {
    if (<u32> page.numRows != rows || <u32> page.numNulls != n - present) {
      return <bool> fail(V2_DIFFERS, rows, n - present);
    }
  }
  if (<i64> rows > rowsLeft) return <bool> fail(ROWS_DIFFER, rows, rowsLeft);

  // values; the counts move only when they are in
  if (present > 0 && !readValues(c, p, end, present)) return false;
  c.count = base + n;
  c.rows += rows;
  c.present += present;
  valuesLeft -= n;
  rowsLeft -= rows;
  firstPage = firstPage && n == 0;
  return true;
}

let levelBytes: usize = 0;

/** A V1 level stream's start behind its length; 0 when it runs past the page. */
function levelStart(p: usize, end: usize): usize {
  if (<u32> (end - p) < 4) return fail(BAD_LEVELS, end - p);
  const length = load<u32>(p);
  if (length > <u32> (end - p - 4)) return fail(BAD_LEVELS, length, end - p - 4);
  levelBytes = length;
  return p + 4;
}

function readValues(c: Column, p: usize, end: usize, n: u32): bool {
  const encoding = page.encoding;
  const available = <u32> (end - p);
  if (encoding == 8 || encoding == 2) return readIndexed(c, p, end, n);
  if (sourceType == BOOLEAN) {
    const grown4 = reserve(c.values, c.valueBytes, c.valueBytes + n + 8);
    if (grown4 == 0) return false;
    c.values = grown4;
    const dst = c.values + c.valueBytes;
    if (encoding == 0) {
      if (plainExtent(p, available, n) == 0xffffffff) {
        return <bool> fail(VALUES_SHORT, available, n);
      }
      for (let i: u32 = 0; i < n; i++) store<u8>(dst + i, (<u32> load<u8>(p + (i >> 3)) >> (i & 7)) & 1);
    } else if (encoding == 3) {
      const start = levelStart(p, end);
      if (start == 0 || !decodeLevels(start, start + levelBytes, 1, n, dst)) return false;
    } else return <bool> fail(UNKNOWN_ENCODING, encoding);
    c.valueBytes += n;
    return true;
  }
  if (encoding == 0) {
    const bytes = plainExtent(p, available, n);
    if (bytes == 0xffffffff) return <bool> fail(VALUES_SHORT, available, n);
    return appendPlain(c, p, bytes, n);
  }
  let ok: bool;
  if (encoding == 5 && (sourceType == INT32 || sourceType == INT64)) {
    const bytes = <u64> n * sourceWidth;
    if (bytes > maxPageBytes) return <bool> fail(PAGE_TOO_LARGE, bytes, maxPageBytes);
    const out = alloc(<u32> bytes);
    if (out == 0) return false;
    ok = decodeDelta(p, end, n, sourceWidth, out) && appendPlain(c, out, <u32> bytes, n);
    free(out);
    return ok;
  }
  if (encoding == 6 && sourceType == BYTE_ARRAY) {
    if (!decodeDeltaLength(p, end, n, maxPageBytes)) return false;
  } else if (encoding == 7 && (sourceType == BYTE_ARRAY || sourceType == FIXED)) {
    if (!decodeDeltaStrings(p, end, n, sourceType == FIXED ? sourceWidth : 0, maxPageBytes)) {
      return false;
    }
  } else if (encoding == 9 && sourceType != BYTE_ARRAY) {
    const bytes = plainExtent(p, available, n);
    if (bytes == 0xffffffff) return <bool> fail(VALUES_SHORT, available, n);
    const out = alloc(bytes);
    if (out == 0) return false;
    decodeSplit(p, n, sourceWidth, out);
    ok = appendPlain(c, out, bytes, n);
    free(out);
    return ok;
  } else return <bool> fail(UNKNOWN_ENCODING, encoding);
  const out = plainPtr;
  ok = appendPlain(c, out, plainLength, n);
  free(out);
  return ok;
}

/** Appends PLAIN values of the source's type, whose bounds were checked. */
function appendPlain(c: Column, src: usize, bytes: u32, n: u32): bool {
  if (conversion != KEEP) {
    if (!convertValues(conversion, conversionParameter, src, bytes, n)) {
      free(convertedPtr);
      return false;
    }
    const out = convertedPtr;
    const ok = appendOwn(c, out, convertedBytes, n);
    free(out);
    return ok;
  }
  return appendOwn(c, src, bytes, n);
}

/** Appends PLAIN values of the column's own type. */
function appendOwn(c: Column, src: usize, bytes: u32, n: u32): bool {
  if (c.text != 0 && !checkText(src, bytes, n)) return false;
  if (discard) return true;
  if (c.mode == PLAIN) {
    const grown5 = reserve(c.values, c.valueBytes, c.valueBytes + bytes);
    if (grown5 == 0) return false;
    c.values = grown5;
    memory.copy(c.values + c.valueBytes, src, bytes);
    c.valueBytes += bytes;
    return true;
  }
  const grown6 = reserve(c.indices, c.present << 2, (c.present + n) << 2);
  if (grown6 == 0) return false;
  c.indices = grown6;
  return internPlain(c, src, bytes, n, c.indices + (<usize> c.present << 2));
}

/** Fails when one of `n` PLAIN byte arrays is no text. */
function checkText(p: usize, bytes: u32, n: u32): bool {
  const found = firstNoText(p, bytes, n);
  return found < 0 ? true : <bool> fail(NO_TEXT, found);
}

/** Appends `n` values given as indices into the chunk's dictionary. */
function readIndexed(c: Column, p: usize, end: usize, n: u32): bool {
  if (!hasDictionary) return <bool> fail(NO_DICTIONARY);
  if (p >= end) return <bool> fail(VALUES_SHORT, 0, n);
  const width: u32 = load<u8>(p);
  if (width > 32) return <bool> fail(VALUES_SHORT, width);
  if (sourceType == BOOLEAN) return <bool> fail(UNKNOWN_ENCODING, page.encoding);
  if (c.mode != PLAIN && !discard) {
    const at = c.present << 2;
    const grown7 = reserve(c.indices, at, at + (n << 2) + 32);
    if (grown7 == 0) return false;
    c.indices = grown7;
    const dst = c.indices + at;
    if (!decodeIndices(p + 1, end, width, n, dictionaryCount, dst)) return false;
    if (mappedFor != changetype<usize>(c)) {
      const grown8 = reserve(mapping, 0, (dictionaryCount << 2) + 8);
      if (grown8 == 0) return false;
      mapping = grown8;
      if (!internPlain(c, dictionary, dictionaryBytes, dictionaryCount, mapping)) return false;
      mappedFor = changetype<usize>(c);
    }
    for (let i: u32 = 0; i < n; i++) {
      const slot = dst + (<usize> i << 2);
      store<u32>(slot, load<u32>(mapping + (<usize> load<u32>(slot) << 2)));
    }
    return true;
  }
  const grown9 = reserve(indexBuffer, 0, (n << 2) + 32);
  if (grown9 == 0) return false;
  indexBuffer = grown9;
  if (!decodeIndices(p + 1, end, width, n, dictionaryCount, indexBuffer)) return false;
  if (discard) return true;
  if (c.type == BYTE_ARRAY) {
    if (mappedFor != 1) {
      const grown10 = reserve(dictionaryStarts, 0, (dictionaryCount << 2) + 8);
      if (grown10 == 0) return false;
      dictionaryStarts = grown10;
      let at: u32 = 0;
      for (let i: u32 = 0; i < dictionaryCount; i++) {
        store<u32>(dictionaryStarts + (<usize> i << 2), at);
        at += 4 + load<u32>(dictionary + at);
      }
      mappedFor = 1;
    }
    return gatherBytes(c, dictionary, dictionaryStarts, indexBuffer, n);
  }
  return gatherFixed(c, dictionary, indexBuffer, n);
}

/** Appends fixed-width values by index. */
export function gatherFixed(c: Column, entries: usize, indices: usize, n: u32): bool {
  const width = c.width;
  const bytes = <u64> n * width;
  if (bytes > 0x3fff0000) return <bool> fail(PAGE_TOO_LARGE, bytes);
  const grown11 = reserve(c.values, c.valueBytes, c.valueBytes + <u32> bytes);
  if (grown11 == 0) return false;
  c.values = grown11;
  let dst = c.values + c.valueBytes;
  if (width == 8) {
    for (let i: u32 = 0; i < n; i++) {
      store<u64>(dst, load<u64>(entries + (<usize> load<u32>(indices + (<usize> i << 2)) << 3)));
      dst += 8;
    }
  } else if (width == 4) {
    for (let i: u32 = 0; i < n; i++) {
      store<u32>(dst, load<u32>(entries + (<usize> load<u32>(indices + (<usize> i << 2)) << 2)));
      dst += 4;
    }
  } else {
    for (let i: u32 = 0; i < n; i++) {
      memory.copy(dst, entries + load<u32>(indices + (<usize> i << 2)) * width, width);
      dst += width;
    }
  }
  c.valueBytes += <u32> bytes;
  return true;
}

/** Appends byte arrays by index; their sum is known before anything is reserved. */
export function gatherBytes(
  c: Column,
  entries: usize,
  starts: usize,
  indices: usize,
  n: u32,
): bool {
  let sum: u64 = 0;
  for (let i: u32 = 0; i < n; i++) {
    sum += 4 +
      load<u32>(entries + load<u32>(starts + (<usize> load<u32>(indices + (<usize> i << 2)) << 2)));
  }
  if (sum + c.valueBytes > 0x3fff0000) return <bool> fail(PAGE_TOO_LARGE, sum);
  const grown12 = reserve(c.values, c.valueBytes, c.valueBytes + <u32> sum);
  if (grown12 == 0) return false;
  c.values = grown12;
  let dst = c.values + c.valueBytes;
  for (let i: u32 = 0; i < n; i++) {
    const from = entries + load<u32>(starts + (<usize> load<u32>(indices + (<usize> i << 2)) << 2));
    const length = 4 + load<u32>(from);
    if (length <= 16) {
      // both have slack behind them
      store<u64>(dst, load<u64>(from));
      store<u64>(dst + 8, load<u64>(from + 8));
    } else memory.copy(dst, from, length);
    dst += length;
  }
  c.valueBytes += <u32> sum;
  return true;
}
