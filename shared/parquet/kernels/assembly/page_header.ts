/**
 * Reads a page header (parquet.thrift, PageHeader) from untrusted bytes. The TypeScript reader of the same
 * struct is page_header.ts; this one exists because a fragment of 50 rows has 50 headers and a call to
 * TypeScript for each costs more than the page.
 */

export const DATA_PAGE: i32 = 0;
export const INDEX_PAGE: i32 = 1;
export const DICTIONARY_PAGE: i32 = 2;
export const DATA_PAGE_V2: i32 = 3;

export let pageType: i32 = 0;
export let uncompressedSize: i32 = 0;
export let compressedSize: i32 = 0;
export let hasCrc: bool = false;
export let crc: i32 = 0;
export let numValues: i32 = 0;
export let encoding: i32 = 0;
export let defEncoding: i32 = 0;
export let repEncoding: i32 = 0;
export let numNulls: i32 = 0;
export let numRows: i32 = 0;
export let defLength: i32 = 0;
export let repLength: i32 = 0;
export let isCompressed: bool = true;

// of the header that was read last, for TypeScript
export function getPageType(): i32 {
  return pageType;
}
export function getPageEncoding(): i32 {
  return encoding;
}
/** Bytes that the page's body has more when it is decompressed. */
export function getPageGrowth(): i32 {
  return uncompressedSize - compressedSize;
}

let at: usize = 0;
let end: usize = 0;
let bad = false;

@inline
function byte(): u32 {
  if (at >= end) {
    bad = true;
    return 0;
  }
  return load<u8>(at++);
}

function varint(): u64 {
  let value: u64 = 0;
  let shift: u64 = 0;
  while (true) {
    const b = byte();
    value |= <u64> (b & 127) << shift;
    if (b < 128) return value;
    shift += 7;
    if (shift > 63) {
      bad = true;
      return 0;
    }
  }
}

/** A zigzag i32; what doesn't fit is an error. */
function int(): i32 {
  const n = varint();
  if (n > 0xffffffff) bad = true;
  return <i32> (<u32> n >> 1) ^ -(<i32> n & 1);
}

/** Skips a value; structs and lists may nest eight deep, which is more than any page header has. */
function skip(type: u32, depth: i32, inList: bool): void {
  if (bad) return;
  if (depth > 8) {
    bad = true;
    return;
  }
  if (type == 1 || type == 2) {
    if (inList) byte();
  } else if (type == 3) byte();
  else if (type <= 6) varint();
  else if (type == 7) advance(8);
  else if (type == 8) advance(varint());
  else if (type == 9 || type == 10) {
    const head = byte();
    const count = head >> 4 == 15 ? varint() : <u64> (head >> 4);
    if (count > <u64> (end - at)) {
      bad = true;
      return;
    }
    for (let i: u64 = 0; i < count && !bad; i++) skip(head & 15, depth + 1, true);
  } else if (type == 12) {
    while (!bad) {
      const head = byte();
      if (head == 0) return;
      if (head >> 4 == 0) varint();
      skip(head & 15, depth + 1, false);
    }
  } else bad = true;
}

function advance(n: u64): void {
  if (n > <u64> (end - at)) bad = true;
  else at += <usize> n;
}

/** The fields of one of the three inner headers; `kind` is its field id in the page header. */
function inner(kind: u32): void {
  let id: u32 = 0;
  let seen: u32 = 0;
  while (!bad) {
    const head = byte();
    if (head == 0) break;
    if (head >> 4 == 0) id = <u32> int();
    else id += head >> 4;
    const type = head & 15;
    const isInt = type == 5;
    if (id < 32) seen |= 1 << id;
    if (!isInt && id >= 1 && id <= (kind == 5 ? 4 : kind == 7 ? 2 : 6)) {
      bad = true; // a field that is known, of another type
      return;
    }
    if (kind == 5 && isInt && id <= 4) {
      const v = int();
      if (id == 1) numValues = v;
      else if (id == 2) encoding = v;
      else if (id == 3) defEncoding = v;
      else repEncoding = v;
    } else if (kind == 7 && isInt && id <= 2) {
      const v = int();
      if (id == 1) numValues = v;
      else encoding = v;
    } else if (kind == 8 && isInt && id <= 6) {
      const v = int();
      if (id == 1) numValues = v;
      else if (id == 2) numNulls = v;
      else if (id == 3) numRows = v;
      else if (id == 4) encoding = v;
      else if (id == 5) defLength = v;
      else repLength = v;
    } else if (kind == 8 && id == 7 && type <= 2) isCompressed = type == 1;
    else skip(type, 0, false);
  }
  const needed: u32 = kind == 5 ? 0b11110 : kind == 7 ? 0b110 : 0b1111110;
  if ((seen & needed) != needed) bad = true;
}

@inline
export function isEncoding(e: i32): bool {
  return e >= 0 && e <= 9 && e != 1;
}

/** Parses the header at `p`; gives its length, or 0 when the bytes are no page header. */
export function parsePageHeader(p: usize, stop: usize): u32 {
  at = p;
  end = stop;
  bad = false;
  pageType = -1;
  uncompressedSize = -1;
  compressedSize = -1;
  hasCrc = false;
  isCompressed = true;
  numValues = -1;
  let id: u32 = 0;
  let kinds: u32 = 0;
  while (!bad) {
    const head = byte();
    if (head == 0) break;
    if (head >> 4 == 0) id = <u32> int();
    else id += head >> 4;
    const type = head & 15;
    // the CRC is optional: of another type it is passed over, as if it weren't there
    if ((type != 5 && id >= 1 && id <= 3) || (type != 12 && (id == 5 || id == 7 || id == 8))) return 0;
    if (type == 5 && id <= 4) {
      const v = int();
      if (id == 1) pageType = v;
      else if (id == 2) uncompressedSize = v;
      else if (id == 3) compressedSize = v;
      else if (id == 4) {
        crc = v;
        hasCrc = true;
      }
    } else if (type == 12 && (id == 5 || id == 7 || id == 8)) {
      kinds |= 1 << id;
      inner(id);
    } else skip(type, 0, false);
  }
  if (bad || uncompressedSize < 0 || compressedSize < 0 || pageType < 0) return 0;
  const needs: u32 = pageType == DATA_PAGE
    ? 1 << 5
    : pageType == DICTIONARY_PAGE
    ? 1 << 7
    : pageType == DATA_PAGE_V2
    ? 1 << 8
    : 0;
  if ((kinds & needs) != needs || pageType > DATA_PAGE_V2) return 0;
  // readers refuse a number that is no encoding, also of levels that the column doesn't have
  if (pageType == DATA_PAGE && !(isEncoding(defEncoding) && isEncoding(repEncoding))) return 0;
  if (needs != 0 && numValues < 0) return 0;
  if (pageType == DATA_PAGE_V2 && (defLength < 0 || repLength < 0)) return 0;
  return <u32> (at - p);
}
