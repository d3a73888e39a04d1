/**
 * Reads a page header (parquet.thrift, PageHeader) from untrusted bytes. The TypeScript reader of the same
 * struct is page_header.ts; this one exists because a fragment of 50 rows has 50 headers and a call to
 * TypeScript for each costs more than the page.
 */
import {
  byte,
  FALSE,
  fieldId,
  I32,
  int,
  isBad,
  place,
  readFrom,
  refuse,
  skip,
  STRUCT,
  TRUE,
} from "./thrift";
import {
  readUsualHeader,
  STATISTICS_FIELD,
  USUAL_BYTES,
  usualCompressed,
  usualDefEncoding,
  usualEncoding,
  usualIsDictionary,
  usualRepEncoding,
  usualUncompressed,
  usualValues,
} from "./usual_header";

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
/** Bytes of the page's body. */
export function getPageSize(): i32 {
  return compressedSize;
}
export function getPageCrc(): i32 {
  return crc;
}
/** Bytes that the page's body has more when it is decompressed. */
export function getPageGrowth(): i32 {
  return uncompressedSize - compressedSize;
}

/** The fields of one of the three inner headers; `kind` is its field id in the page header. */
function inner(kind: u32): void {
  let id: u32 = 0;
  let seen: u32 = 0;
  while (!isBad()) {
    const head = byte();
    if (head == 0) break;
    id = fieldId(head, id);
    const type = head & 15;
    const isInt = type == I32;
    if (id < 32) seen |= 1 << id;
    if (!isInt && id >= 1 && id <= (kind == 5 ? 4 : kind == 7 ? 2 : 6)) {
      refuse(); // a field that is known, of another type
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
    } else if (kind == 8 && id == 7 && (type == TRUE || type == FALSE)) isCompressed = type == TRUE;
    else skip(type);
  }
  const needed: u32 = kind == 5 ? 0b11110 : kind == 7 ? 0b110 : 0b1111110;
  if ((seen & needed) != needed) refuse();
}

@inline
export function isEncoding(e: i32): bool {
  return e >= 0 && e <= 9 && e != 1;
}

/** Takes a header as most writers write it; gives its length, or 0 where it is otherwise. */
@inline
function takeUsual(p: usize, stop: usize): u32 {
  // what lies behind `stop` may be looked at, and says nothing
  if ((<usize> memory.size() << 16) - p < USUAL_BYTES) return 0;
  const length = readUsualHeader(p);
  if (length == 0) return 0;
  let at = p + length;
  if (usualIsDictionary) {
    // whether entries are sorted says nothing to us
    const sorted: u32 = load<u8>(at);
    if (sorted == (0x10 | TRUE) || sorted == (0x10 | FALSE)) at++;
    pageType = DICTIONARY_PAGE;
  } else {
    if (!isEncoding(usualDefEncoding) || !isEncoding(usualRepEncoding)) return 0;
    defEncoding = usualDefEncoding;
    repEncoding = usualRepEncoding;
    pageType = DATA_PAGE;
    if (load<u8>(at) == STATISTICS_FIELD) {
      readFrom(at + 1, stop);
      skip(STRUCT);
      at = place();
      if (isBad()) return 0;
    }
  }
  // the ends of both structs
  if (at + 2 > stop || load<u16>(at) != 0) return 0;
  uncompressedSize = usualUncompressed;
  compressedSize = usualCompressed;
  numValues = usualValues;
  encoding = usualEncoding;
  hasCrc = false;
  isCompressed = true;
  return <u32> (at + 2 - p);
}

/** Parses the header at `p`; gives its length, or 0 when the bytes are no page header. */
export function parsePageHeader(p: usize, stop: usize): u32 {
  const usual = takeUsual(p, stop);
  return usual != 0 ? usual : parseAnyHeader(p, stop);
}

/** The same of any header. Exported as rare_pages.ts is. */
export function parseAnyHeader(p: usize, stop: usize): u32 {
  readFrom(p, stop);
  pageType = -1;
  uncompressedSize = -1;
  compressedSize = -1;
  hasCrc = false;
  isCompressed = true;
  numValues = -1;
  let id: u32 = 0;
  let kinds: u32 = 0;
  while (!isBad()) {
    const head = byte();
    if (head == 0) break;
    id = fieldId(head, id);
    const type = head & 15;
    // the CRC is optional: of another type it is passed over, as if it weren't there
    if ((type != I32 && id >= 1 && id <= 3) || (type != STRUCT && (id == 5 || id == 7 || id == 8))) return 0;
    if (type == I32 && id <= 4) {
      const v = int();
      if (id == 1) pageType = v;
      else if (id == 2) uncompressedSize = v;
      else if (id == 3) compressedSize = v;
      else if (id == 4) {
        crc = v;
        hasCrc = true;
      }
    } else if (type == STRUCT && (id == 5 || id == 7 || id == 8)) {
      kinds |= 1 << id;
      inner(id);
    } else skip(type);
  }
  if (isBad() || uncompressedSize < 0 || compressedSize < 0 || pageType < 0) return 0;
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
  return <u32> (place() - p);
}
