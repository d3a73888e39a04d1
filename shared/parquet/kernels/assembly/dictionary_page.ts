/** Reads the dictionary page of the open chunk. */
import { lookUp } from "./bloom_filter";
import { Column } from "./column";
import { convertedBytes, convertedPtr, convertValues, KEEP, NOTHING } from "./convert";
import {
  BAD_COMPRESSION,
  fail,
  SECOND_DICTIONARY,
  TOO_MANY_VALUES,
  UNKNOWN_ENCODING,
  VALUES_SHORT,
  WIDENING_OVERFLOWS,
} from "./errors";
import { inflate } from "./inflate";
import { free, reserve } from "./memory";
import { chunk } from "./open_chunk";
import * as page from "./page_header";
import { maxPageValues } from "./page_limits";
import { plainExtent } from "./plain_extent";
import { checkText } from "./text";

/** Whether the chunk may have a dictionary page here, of the values and encoding that the header declares. */
export function dictionaryStands(): bool {
  if (chunk.hasDictionary || chunk.pagesRead > 0 && !chunk.firstPage) return <bool> fail(SECOND_DICTIONARY);
  const encoding = page.encoding;
  if (encoding != 0 && encoding != 2) return <bool> fail(UNKNOWN_ENCODING, encoding);
  const n = <u32> page.numValues;
  return n <= maxPageValues || <bool> fail(TOO_MANY_VALUES, n, maxPageValues);
}

/** Its entries stay in a buffer of their own while the chunk is open. */
export function readDictionary(c: Column, body: usize, size: u32): bool {
  if (!dictionaryStands()) return false;
  const n = <u32> page.numValues;
  const uncompressed = <u32> page.uncompressedSize;
  const grown1 = reserve(chunk.dictionary, 0, uncompressed);
  if (grown1 == 0) return false;
  chunk.dictionary = grown1;
  if (chunk.codec == 0) {
    if (size != uncompressed) return <bool> fail(BAD_COMPRESSION, size, uncompressed);
    memory.copy(chunk.dictionary, body, size);
  } else if (!inflate(body, size, chunk.dictionary, uncompressed)) return false;
  let bytes = plainExtent(chunk.dictionary, uncompressed, n);
  if (bytes == 0xffffffff) return <bool> fail(VALUES_SHORT, 0, n);
  if (chunk.conversion == NOTHING && n > 0) return <bool> fail(WIDENING_OVERFLOWS, n);
  if (c.text != 0 && !checkText(chunk.dictionary, bytes, n)) return false;
  if (chunk.conversion != KEEP && chunk.conversion != NOTHING) {
    if (!convertValues(chunk.conversion, chunk.parameter, chunk.dictionary, bytes, n)) {
      free(convertedPtr);
      return false;
    }
    free(chunk.dictionary);
    chunk.dictionary = convertedPtr;
    bytes = convertedBytes;
  }
  if (chunk.codec == 1 && chunk.whole && chunk.conversion == KEEP && bytes == uncompressed) {
    chunk.packedDictionary = body;
    chunk.packedLength = size;
  }
  if (chunk.discard) lookUp(chunk.dictionary, n);
  chunk.dictionaryBytes = bytes;
  chunk.dictionaryCount = n;
  chunk.hasDictionary = true;
  chunk.mappedFor = 0;
  return true;
}
