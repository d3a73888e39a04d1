/**
 * The column chunk that is being read: what the source says of it, its dictionary, and how far it was read. One is
 * open at a time; several can be begun and taken up in turn.
 */
import { alloc, free } from "./memory";

@unmanaged
export class Chunk {
  valuesLeft: i64;
  rowsLeft: i64;
  type: u32;
  width: u32;
  maxDef: u32;
  maxRep: u32;
  codec: u32;
  /** A table from source to target definition levels, or 0. */
  defMap: usize;
  /** What the leaf shares with its neighbours (siblings.ts), or 0. */
  levels: usize;
  conversion: u32;
  parameter: i32;
  /** The dictionary's entries, converted already, and where each byte array of them begins. */
  dictionary: usize;
  dictionaryBytes: u32;
  dictionaryCount: u32;
  dictionaryStarts: usize;
  /** Its page as it came by snappy, where that is in memory as long as the chunk is open and holds just the entries; else 0. */
  packedDictionary: usize;
  packedLength: u32;
  /** The output's index of each entry, when `mappedFor` is the column; `dictionaryStarts` holds when it is 1. */
  mapping: usize;
  mappedFor: usize;
  pagesRead: u32;
  hasDictionary: bool;
  firstPage: bool;
  /** Checked and thrown away instead of appended. */
  discard: bool;
  /** Its bytes are to stand in the output as they are: what other readers refuse, or read as something else, can't. */
  copied: bool;
  rowsUnknown: bool;
  /** All of it is in memory until it is closed. */
  whole: bool;
}

const FIRST = memory.data(128);

/** The open chunk. Its buffers stay for the next one that is opened in its place. */
export let chunk: Chunk = changetype<Chunk>(FIRST);

/** A further chunk to be opened beside others; 0 when memory is over. */
export function newChunk(): usize {
  const ptr = alloc(offsetof<Chunk>());
  if (ptr != 0) memory.fill(ptr, 0, offsetof<Chunk>());
  return ptr;
}

/** Takes up a chunk of {@link newChunk}; 0 is the first one. */
export function useChunk(ptr: usize): void {
  chunk = changetype<Chunk>(ptr == 0 ? FIRST : ptr);
}

/** Gives back a chunk of {@link newChunk}. */
export function freeChunk(ptr: usize): void {
  const one = changetype<Chunk>(ptr);
  free(one.dictionary);
  free(one.dictionaryStarts);
  free(one.mapping);
  free(ptr);
  if (changetype<usize>(chunk) == ptr) useChunk(0);
}

/** The column's dictionary was begun anew: what entries were mapped to holds no more. */
export function forgetMapping(): void {
  if (chunk.mappedFor != 1) chunk.mappedFor = 0;
}

/** Pages of the open chunk that were read, for messages. */
export function getPagesRead(): u32 {
  return chunk.pagesRead;
}
