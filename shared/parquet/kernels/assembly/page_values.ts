/** Appends the values of a data page to a column, by their encoding. */
import { lookUp } from "./bloom_filter";
import { BOOLEAN, BYTE_ARRAY, Column, FIXED, INT32, INT64, PLAIN } from "./column";
import { convertedBytes, convertedPtr, convertValues, KEEP, NOTHING } from "./convert";
import {
  decodeDelta,
  decodeDeltaLength,
  decodeDeltaStrings,
  decodeSplit,
  deltaEnd,
  plainLength,
  plainPtr,
} from "./delta";
import {
  BAD_DELTA,
  fail,
  NO_DICTIONARY,
  PAGE_TOO_LARGE,
  UNKNOWN_ENCODING,
  VALUES_SHORT,
  WIDENING_OVERFLOWS,
} from "./errors";
import { gatherBytes, gatherFixed } from "./gather_values";
import { decodeIndices, decodeLevels } from "./decode_hybrid";
import { internPlain } from "./intern";
import { levelBytes, levelStart } from "./level_stream";
import { alloc, free, reserve } from "./memory";
import { chunk } from "./open_chunk";
import * as page from "./page_header";
import { keepPacked } from "./packed_values";
import { maxPageBytes } from "./page_limits";
import { plainExtent } from "./plain_extent";
import { isCounting } from "./counting_indices";
import { checkText } from "./text";
import { boundIndexed, boundPlain, findStarts } from "./watched_bounds";

/** Scratch for indices that become values at once. */
let indexBuffer: usize = 0;

/**
 * Checks a page of nulls. An encoding that begins with a width or a header has it in such a page too, and a page that
 * says that it has a dictionary needs one, since readers look for it.
 */
export function readNoValues(p: usize, end: usize): bool {
  const encoding = page.encoding;
  if (encoding == 8 || encoding == 2) {
    if (!chunk.hasDictionary) return <bool> fail(NO_DICTIONARY);
    return p < end && load<u8>(p) <= 32 ? true : <bool> fail(VALUES_SHORT, <i64> (end - p), 0);
  }
  if (!isFor(encoding, chunk.type)) return <bool> fail(UNKNOWN_ENCODING, encoding);
  if (encoding == 5 || encoding == 6) return decodeDelta(p, end, 0, 8, 0);
  if (encoding == 7) return decodeDelta(p, end, 0, 8, 0) && decodeDelta(deltaEnd, end, 0, 8, 0);
  return true;
}

/** Whether an encoding, not by dictionary, is for values of a physical type. */
function isFor(encoding: i32, type: u32): bool {
  if (encoding == 0) return true;
  if (encoding == 3) return type == BOOLEAN;
  if (encoding == 5) return type == INT32 || type == INT64;
  if (encoding == 6) return type == BYTE_ARRAY;
  if (encoding == 7) return type == BYTE_ARRAY || type == FIXED;
  return encoding == 9 && type != BYTE_ARRAY && type != BOOLEAN;
}

/**
 * Appends `n` values in [p, end); false with the error set. `packedAt` is 0, or where the snappy stream lies that was
 * decompressed to them.
 */
export function readValues(
  c: Column,
  p: usize,
  end: usize,
  n: u32,
  packedAt: usize,
  packedLength: u32,
): bool {
  if (chunk.conversion == NOTHING) return <bool> fail(WIDENING_OVERFLOWS, n);
  const encoding = page.encoding;
  const available = <u32> (end - p);
  if (encoding == 8 || encoding == 2) return readIndexed(c, p, end, n);
  if (chunk.type == BOOLEAN) return readBooleans(c, p, end, n);
  if (encoding != 0) return readOtherValues(c, p, end, n);
  const bytes = plainExtent(p, available, n);
  if (bytes == 0xffffffff) return <bool> fail(VALUES_SHORT, available, n);
  const at = c.valueBytes;
  if (!appendPlain(c, p, bytes, n)) return false;
  if (packedAt != 0 && bytes == available && c.mode == PLAIN && chunk.conversion == KEEP && !chunk.discard) {
    keepPacked(c, at, bytes, packedAt, packedLength);
  }
  return true;
}

/** Appends values in encodings that few pages have. Exported as rare_pages.ts is. */
export function readOtherValues(c: Column, p: usize, end: usize, n: u32): bool {
  const encoding = page.encoding;
  const available = <u32> (end - p);
  let ok: bool;
  if (encoding == 5 && (chunk.type == INT32 || chunk.type == INT64)) {
    const bytes = <u64> n * chunk.width;
    if (bytes > maxPageBytes) return <bool> fail(PAGE_TOO_LARGE, bytes, maxPageBytes);
    const out = alloc(<u32> bytes);
    if (out == 0) return false;
    ok = decodeDelta(p, end, n, chunk.width, out) && appendPlain(c, out, <u32> bytes, n);
    free(out);
    return ok;
  }
  if (encoding == 6 && chunk.type == BYTE_ARRAY) {
    if (!decodeDeltaLength(p, end, n, maxPageBytes)) return false;
  } else if (encoding == 7 && (chunk.type == BYTE_ARRAY || chunk.type == FIXED)) {
    if (!decodeDeltaStrings(p, end, n, chunk.type == FIXED ? chunk.width : 0, maxPageBytes)) {
      return false;
    }
  } else if (encoding == 9 && chunk.type != BYTE_ARRAY) {
    const bytes = plainExtent(p, available, n);
    if (bytes == 0xffffffff) return <bool> fail(VALUES_SHORT, available, n);
    if (available % chunk.width != 0) return <bool> fail(BAD_DELTA, available, n);
    const out = alloc(bytes);
    if (out == 0) return false;
    decodeSplit(p, n, available / chunk.width, chunk.width, out);
    ok = appendPlain(c, out, bytes, n);
    free(out);
    return ok;
  } else return <bool> fail(UNKNOWN_ENCODING, encoding);
  const out = plainPtr;
  ok = appendPlain(c, out, plainLength, n);
  free(out);
  return ok;
}

/** Appends booleans, a byte each. */
function readBooleans(c: Column, p: usize, end: usize, n: u32): bool {
  const grown4 = reserve(c.values, c.valueBytes, c.valueBytes + n + 8);
  if (grown4 == 0) return false;
  c.values = grown4;
  const dst = c.values + c.valueBytes;
  if (page.encoding == 0) {
    if (plainExtent(p, <u32> (end - p), n) == 0xffffffff) {
      return <bool> fail(VALUES_SHORT, <u32> (end - p), n);
    }
    for (let i: u32 = 0; i < n; i++) store<u8>(dst + i, (<u32> load<u8>(p + (i >> 3)) >> (i & 7)) & 1);
  } else if (page.encoding == 3) {
    const start = levelStart(p, end);
    if (start == 0 || !decodeLevels(start, start + levelBytes, 1, n, dst)) return false;
  } else return <bool> fail(UNKNOWN_ENCODING, page.encoding);
  if (chunk.discard) boundPlain(c, dst, n);
  c.valueBytes += n;
  return true;
}

/** Appends PLAIN values of the source's type, whose bounds were checked. */
function appendPlain(c: Column, src: usize, bytes: u32, n: u32): bool {
  if (chunk.conversion != KEEP) {
    if (!convertValues(chunk.conversion, chunk.parameter, src, bytes, n)) {
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
  if (chunk.discard) {
    boundPlain(c, src, n);
    lookUp(src, n);
    return true;
  }
  return takeOwn(c, src, bytes, n);
}

/** Takes PLAIN values of the column's own type that were checked. */
function takeOwn(c: Column, src: usize, bytes: u32, n: u32): bool {
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

/** Appends `n` values given as indices into the chunk's dictionary. */
function readIndexed(c: Column, p: usize, end: usize, n: u32): bool {
  if (!chunk.hasDictionary) return <bool> fail(NO_DICTIONARY);
  if (p >= end) return <bool> fail(VALUES_SHORT, 0, n);
  const width: u32 = load<u8>(p);
  if (width > 32) return <bool> fail(VALUES_SHORT, width);
  if (chunk.type == BOOLEAN) return <bool> fail(UNKNOWN_ENCODING, page.encoding);
  // where no entry has two values the dictionary is the page's values
  if (!chunk.discard && n == chunk.dictionaryCount && isCounting(p + 1, end, width, n)) {
    const at = c.valueBytes;
    if (!takeOwn(c, chunk.dictionary, chunk.dictionaryBytes, n)) return false;
    if (c.mode == PLAIN && chunk.packedDictionary != 0) {
      keepPacked(c, at, chunk.dictionaryBytes, chunk.packedDictionary, chunk.packedLength);
    }
    return true;
  }
  if (c.mode != PLAIN && !chunk.discard) {
    const at = c.present << 2;
    const grown7 = reserve(c.indices, at, at + (n << 2) + 32);
    if (grown7 == 0) return false;
    c.indices = grown7;
    const dst = c.indices + at;
    if (!decodeIndices(p + 1, end, width, n, chunk.dictionaryCount, dst)) return false;
    if (chunk.mappedFor != changetype<usize>(c)) {
      const grown8 = reserve(chunk.mapping, 0, (chunk.dictionaryCount << 2) + 8);
      if (grown8 == 0) return false;
      chunk.mapping = grown8;
      if (!internPlain(c, chunk.dictionary, chunk.dictionaryBytes, chunk.dictionaryCount, chunk.mapping)) return false;
      chunk.mappedFor = changetype<usize>(c);
    }
    for (let i: u32 = 0; i < n; i++) {
      const slot = dst + (<usize> i << 2);
      store<u32>(slot, load<u32>(chunk.mapping + (<usize> load<u32>(slot) << 2)));
    }
    return true;
  }
  const grown9 = reserve(indexBuffer, 0, (n << 2) + 32);
  if (grown9 == 0) return false;
  indexBuffer = grown9;
  if (!decodeIndices(p + 1, end, width, n, chunk.dictionaryCount, indexBuffer)) return false;
  if (chunk.discard) return boundIndexed(c, indexBuffer, n);
  if (c.type == BYTE_ARRAY) {
    if (!findStarts()) return false;
    return gatherBytes(c, chunk.dictionary, chunk.dictionaryStarts, indexBuffer, n);
  }
  return gatherFixed(c, chunk.dictionary, indexBuffer, n);
}
