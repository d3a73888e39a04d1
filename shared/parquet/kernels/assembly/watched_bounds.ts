/**
 * Bounds of the values of a page that is decoded and thrown away: the statistics of a chunk that is copied as bytes
 * come from its values, never from what its writer says of them.
 */
import { BYTE_ARRAY, Column } from "./column";
import { gatherFixed } from "./gather_values";
import { reserve } from "./memory";
import { boundsOfChosen, boundsOfEntries, boundsOfNumbers, clearStats, findBounds } from "./value_bounds";
import { chunk } from "./open_chunk";

/** A byte for each entry of the dictionary: whether the page uses it. */
let usedBuffer: usize = 0;

/** Begins a page: one without values has no bounds. */
@inline
export function startBounds(c: Column): void {
  if (c.order != 0) clearStats();
}

/** Bounds of `n` PLAIN values; booleans are a byte each. */
@inline
export function boundPlain(c: Column, p: usize, n: u32): void {
  if (c.order != 0) findBounds(c, p, n, 0);
}

/** Where each byte array of the chunk's dictionary begins; false when memory is over. */
export function findStarts(): bool {
  if (chunk.mappedFor == 1) return true;
  const grown = reserve(chunk.dictionaryStarts, 0, (chunk.dictionaryCount << 2) + 8);
  if (grown == 0) return false;
  chunk.dictionaryStarts = grown;
  let at: u32 = 0;
  for (let i: u32 = 0; i < chunk.dictionaryCount; i++) {
    store<u32>(chunk.dictionaryStarts + (<usize> i << 2), at);
    at += 4 + load<u32>(chunk.dictionary + at);
  }
  chunk.mappedFor = 1;
  return true;
}

/** Bounds of the dictionary's entries at `n` indices; false when memory is over. */
export function boundIndexed(c: Column, indices: usize, n: u32): bool {
  if (c.order == 0 || boundsOfNumbers(c.order, chunk.dictionary, indices, n)) return true;
  const texts = c.type == BYTE_ARRAY;
  if (texts && !findStarts()) return false;
  const count = chunk.dictionaryCount;
  // a chunk of many small pages must not look at all entries of a large dictionary for each of them
  if (n < count) {
    if (texts) boundsOfChosen(c.order, chunk.dictionary, chunk.dictionaryStarts, indices, n);
    else {
      c.valueBytes = 0;
      if (!gatherFixed(c, chunk.dictionary, indices, n)) return false;
      findBounds(c, c.values, n, 0);
      c.valueBytes = 0;
    }
    return true;
  }
  const used = reserve(usedBuffer, 0, count + 8);
  if (used == 0) return false;
  usedBuffer = used;
  memory.fill(used, 0, count);
  for (let i: u32 = 0; i < n; i++) store<u8>(used + load<u32>(indices + (<usize> i << 2)), 1);
  if (texts) boundsOfEntries(c.order, chunk.dictionary, chunk.dictionaryStarts, count, used);
  else findBounds(c, chunk.dictionary, count, used);
  return true;
}
