/** The body of a data page of the open chunk, decompressed where it is compressed. */
import { BAD_COMPRESSION, BAD_LEVELS, fail, NOT_COPIED } from "./errors";
import { inflate } from "./inflate";
import { reserve } from "./memory";
import { chunk } from "./open_chunk";
import * as page from "./page_header";

/** Scratch for a page's decompressed bytes, kept from page to page. */
let pageBuffer: usize = 0;

/** What was unpacked last: levels, unless the page is a V2, and values. */
export let bodyAt: usize = 0;
export let bodyEnd: usize = 0;
/** Where the snappy stream lies that holds just the values; 0 where there is none. */
export let packedAt: usize = 0;
export let packedLength: u32 = 0;

/** Sets {@link bodyAt} and {@link bodyEnd} for the page's body, or the part of a V2's behind its levels. */
export function unpackBody(body: usize, size: u32): bool {
  packedAt = 0;
  if (page.pageType == page.DATA_PAGE_V2) return unpackV2(body, size);
  const uncompressed = <u32> page.uncompressedSize;
  if (chunk.codec == 0) return standing(body, size, uncompressed);
  // levels of V1 lie in the same stream
  return inflated(body, size, uncompressed, chunk.maxDef == 0 && chunk.maxRep == 0);
}

/** Unpacks what stands behind the levels of a V2 page, which are not compressed. Exported as rare_pages.ts is. */
export function unpackV2(body: usize, size: u32): bool {
  const uncompressed = <u32> page.uncompressedSize;
  const levelBytes = <u64> page.defLength + page.repLength;
  if (levelBytes > size || levelBytes > uncompressed) return <bool> fail(BAD_LEVELS, levelBytes, size);
  // of a column that has no such levels some readers don't pass over their bytes
  const unread = (chunk.maxDef == 0 && page.defLength != 0) || (chunk.maxRep == 0 && page.repLength != 0);
  if (chunk.copied && unread) return <bool> fail(NOT_COPIED);
  const p = body + <usize> levelBytes;
  const packed = size - <u32> levelBytes;
  const plain = uncompressed - <u32> levelBytes;
  if (page.isCompressed && chunk.codec != 0 && (packed != 0 || plain != 0)) return inflated(p, packed, plain, true);
  return standing(p, packed, plain);
}

/** Takes bytes that are not compressed, which must be as many as are declared. */
function standing(body: usize, size: u32, plain: u32): bool {
  if (size != plain) return <bool> fail(BAD_COMPRESSION, size, plain);
  bodyAt = body;
  bodyEnd = body + size;
  return true;
}

/** Decompresses to `plain` bytes. @param valuesOnly whether there are no levels among them */
function inflated(body: usize, size: u32, plain: u32, valuesOnly: bool): bool {
  const room = reserve(pageBuffer, 0, plain);
  if (room == 0) return false;
  pageBuffer = room;
  if (!inflate(body, size, room, plain)) return false;
  if (chunk.codec == 1 && valuesOnly) {
    packedAt = body;
    packedLength = size;
  }
  bodyAt = room;
  bodyEnd = room + plain;
  return true;
}
