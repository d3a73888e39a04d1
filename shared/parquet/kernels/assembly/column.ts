/**
 * An output column under construction: the levels and values that wait for a page (the "pending" part)
 * and the dictionary of the row group. Pages are cut from the front of the pending part.
 */
import { alloc, free } from "./memory";

// physical types, as the format numbers them
export const BOOLEAN: u32 = 0;
export const INT32: u32 = 1;
export const INT64: u32 = 2;
export const INT96: u32 = 3;
export const FLOAT: u32 = 4;
export const DOUBLE: u32 = 5;
export const BYTE_ARRAY: u32 = 6;
export const FIXED: u32 = 7;

/** How values wait: as indices as long as a dictionary may pay, and as PLAIN bytes once it does not. */
export const OPEN: u32 = 0;
export const DICTIONARY: u32 = 1;
export const PLAIN: u32 = 2;

@unmanaged
export class Column {
  type: u32;
  /** Bytes of a value; 1 for booleans (a byte each until a page is made), 0 for byte arrays. */
  width: u32;
  maxDef: u32;
  maxRep: u32;
  /** How values are ordered, see order.ts. */
  order: u32;
  mode: u32;
  /** Pending levels, one byte each; 0 where the maximum is 0. */
  defs: usize;
  reps: usize;
  /** Pending entries of the level streams (values and nulls and empty lists). */
  count: u32;
  /** Pending rows. */
  rows: u32;
  /** Pending values that are there. */
  present: u32;
  /** PLAIN bytes of the pending values, in mode PLAIN. */
  values: usize;
  valueBytes: u32;
  /** Indices (u32) of the pending values, in the other modes. */
  indices: usize;
  /** The dictionary: PLAIN entries, and for byte arrays where each starts. */
  entries: usize;
  entryBytes: u32;
  entryCount: u32;
  entryStarts: usize;
  /** Open addressing: (hash << 32 | id + 1), 0 is free; of values of 4 bytes the value stands for the hash. */
  table: usize;
  tableMask: u32;
  /** 32 less the table's bits. */
  tableShift: u32;
  /** The checkpoint that a rollback goes back to. */
  keptCount: u32;
  keptRows: u32;
  keptPresent: u32;
  keptValueBytes: u32;
  keptEntryBytes: u32;
  keptEntryCount: u32;
  /** 1 where byte arrays must be UTF-8. */
  text: u32;
  /**
   * How many of the pending entries, the last ones, are nulls that begin a row each and are only counted: a column that
   * a file lacks takes no memory for its rows. `defs` and `reps` hold the entries before them.
   */
  tail: u32;
  /** Their definition level. */
  tailDef: u32;
  /** What is kept of PLAIN values as they came by snappy (packed_values.ts). */
  stretches: usize;
  stretchCount: u32;
  packed: usize;
  packedBytes: u32;
}

export function newColumn(
  type: u32,
  width: u32,
  maxDef: u32,
  maxRep: u32,
  order: u32,
): usize {
  const ptr = alloc(offsetof<Column>());
  if (ptr == 0) return 0;
  memory.fill(ptr, 0, offsetof<Column>());
  const c = changetype<Column>(ptr);
  c.type = type;
  c.width = width;
  c.maxDef = maxDef;
  c.maxRep = maxRep;
  c.order = order;
  c.mode = type == BOOLEAN ? PLAIN : OPEN;
  return ptr;
}

/** Whether the column takes byte arrays that are UTF-8 only. */
export function requireText(ptr: usize, on: u32): void {
  changetype<Column>(ptr).text = on;
}

/**
 * Says how a column that keeps no values (openChunk, `check`) orders those that are decoded into it: by an order the
 * bounds of each page are found, by 0 none are.
 */
export function watchBounds(ptr: usize, type: u32, width: u32, order: u32): void {
  const c = changetype<Column>(ptr);
  c.type = type;
  c.width = width;
  c.order = order;
}

/** Gives back all that a column holds, and the column. */
export function freeColumn(ptr: usize): void {
  const c = changetype<Column>(ptr);
  releasePending(ptr);
  free(c.entries);
  free(c.entryStarts);
  free(c.table);
  free(ptr);
}

/** Gives back the pending part; the dictionary stays. */
export function releasePending(ptr: usize): void {
  const c = changetype<Column>(ptr);
  free(c.defs);
  free(c.reps);
  free(c.values);
  free(c.indices);
  free(c.stretches);
  free(c.packed);
  c.stretches = 0;
  c.stretchCount = 0;
  c.packed = 0;
  c.packedBytes = 0;
  c.defs = 0;
  c.reps = 0;
  c.values = 0;
  c.indices = 0;
  c.count = 0;
  c.rows = 0;
  c.present = 0;
  c.valueBytes = 0;
  c.tail = 0;
}

/** Marks what a rollback goes back to. */
export function checkpoint(ptr: usize): void {
  const c = changetype<Column>(ptr);
  c.keptCount = c.count;
  c.keptRows = c.rows;
  c.keptPresent = c.present;
  c.keptValueBytes = c.valueBytes;
  c.keptEntryBytes = c.entryBytes;
  c.keptEntryCount = c.entryCount;
}

/** Starts a row group: the pending part must be empty; the dictionary is forgotten, its blocks are kept. */
export function startGroup(ptr: usize, plain: bool): void {
  const c = changetype<Column>(ptr);
  c.mode = c.type == BOOLEAN || plain ? PLAIN : OPEN;
  c.count = 0;
  c.rows = 0;
  c.present = 0;
  c.valueBytes = 0;
  c.stretchCount = 0;
  c.packedBytes = 0;
  c.tail = 0;
  c.entryBytes = 0;
  c.entryCount = 0;
  if (c.table != 0) memory.fill(c.table, 0, (<usize> c.tableMask + 1) << 3);
  checkpoint(ptr);
}

/** Gives back the table by which entries are found, once no more values are interned; intern.ts makes it anew. */
export function dropTable(ptr: usize): void {
  const c = changetype<Column>(ptr);
  free(c.table);
  c.table = 0;
  c.tableMask = 0;
}
