/**
 * What few pages have: levels of the V2 format or in the deprecated encoding, and what keeps a page from being copied. It
 * stands apart from what every page goes through, and is exported so that the compiler leaves it there: a cold process
 * optimises a hot function as a whole.
 */
import { DOUBLE, FLOAT } from "./column";
import { fail, NOT_COPIED, UNKNOWN_ENCODING } from "./errors";
import { decodeBitPackedLevels, decodeLevels } from "./decode_hybrid";
import { chunk } from "./open_chunk";
import * as page from "./page_header";

/** Whether there are levels, in the deprecated encoding. */
@inline
function isBitPacked(maxLevel: u32, encoding: i32): bool {
  return maxLevel > 0 && encoding == 4;
}

/** Whether all readers take the page as we do, as far as its header tells; false with the error set. */
export function mayBeCopied(): bool {
  // DuckDB and hyparquet take them for RLE whatever the header says
  if (
    page.pageType == page.DATA_PAGE &&
    (isBitPacked(chunk.maxDef, page.defEncoding) || isBitPacked(chunk.maxRep, page.repEncoding))
  ) {
    return <bool> fail(NOT_COPIED);
  }
  // BYTE_STREAM_SPLIT is for other types too since parquet-format 2.11; DuckDB 1.5 reads no such file
  if (page.encoding == 9 && chunk.type != FLOAT && chunk.type != DOUBLE) return <bool> fail(NOT_COPIED);
  return true;
}

/** Where the values begin behind the levels that {@link otherLevels} read. */
export let otherLevelsEnd: usize = 0;

/**
 * Reads `n` levels that are not a V1 page's in RLE, to `dst`: those of the V2 page whose body is at `body`, or such as lie
 * at `p` in the deprecated encoding. False with the error set.
 */
export function otherLevels(body: usize, repetition: bool, p: usize, end: usize, n: u32, dst: usize): bool {
  const most = repetition ? chunk.maxRep : chunk.maxDef;
  otherLevelsEnd = p;
  if (page.pageType == page.DATA_PAGE_V2) {
    const start = repetition ? body : body + page.repLength;
    return decodeLevels(start, start + (repetition ? page.repLength : page.defLength), most, n, dst);
  }
  const encoding = repetition ? page.repEncoding : page.defEncoding;
  if (encoding != 4) return <bool> fail(UNKNOWN_ENCODING, encoding);
  const taken = decodeBitPackedLevels(p, end, most, n, dst);
  if (taken < 0) return false;
  otherLevelsEnd = p + taken;
  return true;
}
