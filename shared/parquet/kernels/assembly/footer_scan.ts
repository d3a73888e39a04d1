/**
 * Looks over the footer of a small file whose schema is, byte for byte, one that TypeScript has parsed before,
 * and notes where its chunks lie. What is not as usual is left to TypeScript (footer.ts, check_chunks.ts),
 * which also says what is wrong: a scan accepts or declines, it never rejects. A thousand fragments of 50 rows
 * have 25,000 chunks, and parsing their metadata into objects costs more than merging their pages.
 */
import { equalBytes } from "./intern";
import { reserve } from "./memory";
import {
  advance,
  byte,
  fieldId,
  GOES_ON,
  goOn,
  I32,
  I64,
  isBad,
  left,
  LIST,
  listOf,
  long,
  place,
  readFrom,
  refuse,
  shortLong,
  skip,
  STRUCT,
} from "./thrift";

// what a scan found
let groups: u32 = 0;
let rowsTotal: u64 = 0;
let uncompressedTotal: u64 = 0;
let valuesTotal: u64 = 0;
let largestGroup: u64 = 0;
let schemaAt: usize = 0;
let schemaLength: u32 = 0;
let keyValuesAt: usize = 0;
let keyValuesLength: u32 = 0;
/** For each group its rows, and for each leaf {start, length, codec, values}; all u32. */
let table: usize = 0;

export function scanGroups(): u32 {
  return groups;
}
export function scanRows(): f64 {
  return <f64> rowsTotal;
}
export function scanUncompressed(): f64 {
  return <f64> uncompressedTotal;
}
export function scanValues(): f64 {
  return <f64> valuesTotal;
}
export function scanLargestGroup(): f64 {
  return <f64> largestGroup;
}
export function scanTable(): usize {
  return table;
}
export function scanSchemaAt(): usize {
  return schemaAt;
}
export function scanSchemaLength(): u32 {
  return schemaLength;
}
export function scanKeyValuesAt(): usize {
  return keyValuesAt;
}
export function scanKeyValuesLength(): u32 {
  return keyValuesLength;
}

/** Makes the table of groups and chunks that {@link appendGroup} reads; for TypeScript to fill. */
export function reserveTable(bytes: u32): usize {
  const grown = reserve(table, 0, bytes);
  if (grown != 0) table = grown;
  return grown;
}

/**
 * Whether the file at `file` has the schema whose bytes are at `schema`, the key-values at `keyValues`, and
 * row groups as they should be. `leafPaths` holds for each leaf {type, flat, path bytes, their length} (u32).
 * With `schemaBytes` 0 only the extents of schema and key-values are looked for.
 */
export function scanFooter(
  file: usize,
  size: u32,
  schema: usize,
  schemaBytes: u32,
  keyValues: usize,
  keyValuesBytes: u32,
  leafPaths: usize,
  leaves: u32,
): bool {
  schemaAt = 0;
  schemaLength = 0;
  keyValuesAt = 0;
  keyValuesLength = 0;
  groups = 0;
  rowsTotal = 0;
  uncompressedTotal = 0;
  valuesTotal = 0;
  largestGroup = 0;
  if (size < 12 || load<u32>(file) != 0x31524150 || load<u32>(file + size - 4) != 0x31524150) return false;
  const length = load<u32>(file + size - 8);
  if (length == 0 || length > size - 12) return false;
  const pagesEnd = size - 8 - length;
  readFrom(file + pagesEnd, file + pagesEnd + length);
  let id: u32 = 0;
  let seen: u32 = 0;
  while (!isBad()) {
    const head = byte();
    if (head == 0) break;
    id = fieldId(head, id);
    const type = head & 15;
    const start = place();
    if (id == 2 && type == LIST) {
      if (schemaBytes != 0) {
        if (schemaBytes > <u32> left() || !equalBytes(place(), schema, schemaBytes)) return false;
        advance(schemaBytes);
      } else skip(type);
      schemaAt = start;
      schemaLength = <u32> (place() - start);
    } else if (id == 4 && type == LIST && schemaBytes != 0) {
      if (seen & 16) return false;
      scanRowGroups(pagesEnd, leafPaths, leaves);
    } else if (id == 8) return false; // encrypted
    else {
      skip(type);
      if (id == 5) {
        keyValuesAt = start;
        keyValuesLength = <u32> (place() - start);
        if (
          schemaBytes != 0 &&
          (keyValuesLength != keyValuesBytes || !equalBytes(start, keyValues, keyValuesBytes))
        ) return false;
      }
    }
    if (id < 32) seen |= 1 << id;
  }
  if (isBad() || (seen & 0b11100) != 0b11100) return false;
  // a file without key-values differs from one that has them
  return schemaBytes == 0 || keyValuesLength == keyValuesBytes;
}

function scanRowGroups(pagesEnd: u32, leafPaths: usize, leaves: u32): void {
  const count = listOf(STRUCT);
  const groupBytes = 4 + (leaves << 4);
  if (<u64> count * groupBytes > 16 << 20 || reserveTable(count * groupBytes) == 0) {
    refuse();
    return;
  }
  let out = table;
  // pages lie one behind the other, from group to group
  let free: u32 = 4;
  for (let g: u32 = 0; g < count && !isBad(); g++) {
    let rows: i64 = -1;
    let id: u32 = 0;
    let compressed: u64 = 0;
    let hasColumns = false;
    while (!isBad()) {
      const head = byte();
      if (head == 0) break;
      id = fieldId(head, id);
      const type = head & 15;
      if (id == 1 && type == LIST) {
        if (listOf(STRUCT) != leaves || hasColumns) {
          refuse();
          return;
        }
        hasColumns = true;
        for (let c: u32 = 0; c < leaves && !isBad(); c++) {
          scanChunk(out + 4 + (c << 4), leafPaths + (c << 4));
          const start = load<u32>(out + 4 + (c << 4));
          const length = load<u32>(out + 8 + (c << 4));
          if (isBad() || start < free || length > pagesEnd || start > pagesEnd - length) {
            refuse();
            return;
          }
          free = start + length;
          compressed += length;
        }
      } else if (id == 3 && type == I64) rows = long();
      else skip(type);
    }
    // groups without rows are unusual enough
    if (rows <= 0 || rows > 0x7fffffff || !hasColumns) {
      refuse();
      return;
    }
    store<u32>(out, <u32> rows);
    for (let c: u32 = 0; c < leaves; c++) {
      const values = load<u32>(out + 16 + (c << 4));
      const flat = load<u32>(leafPaths + (c << 4) + 4);
      if (flat ? values != <u32> rows : values < <u32> rows) refuse();
      valuesTotal += values;
    }
    rowsTotal += rows;
    if (compressed > largestGroup) largestGroup = compressed;
    out += groupBytes;
  }
  groups = count;
}

/** A ColumnChunk: start, length, codec and values to `out`. */
function scanChunk(out: usize, leaf: usize): void {
  let id: u32 = 0;
  let hasMeta = false;
  while (!isBad()) {
    const head = byte();
    if (head == 0) break;
    id = fieldId(head, id);
    const type = head & 15;
    if (id == 3 && type == STRUCT) {
      if (hasMeta) refuse();
      hasMeta = true;
      scanMeta(out, leaf);
    } else if (id == 1 || id == 8 || id == 9) refuse(); // elsewhere, or encrypted
    else skip(type);
  }
  if (!hasMeta) refuse();
}

/** Fields of a chunk's metadata that are looked at, as bits: numbers of each wire type. */
const I32_FIELDS: u32 = (1 << 1) | (1 << 4);
const I64_FIELDS: u32 = (1 << 5) | (1 << 6) | (1 << 7) | (1 << 9) | (1 << 11);

function scanMeta(out: usize, leaf: usize): void {
  let id: u32 = 0;
  let seen: u32 = 0;
  let codec: i64 = 0;
  let values: i64 = 0;
  let uncompressed: i64 = 0;
  let compressed: i64 = 0;
  let data: i64 = 0;
  let dictionary: i64 = 0;
  // in locals: a file of 50 rows has 25 of these, and by the reader of single values they take a tenth of its merge
  let p = place();
  const stop = p + left();
  while (true) {
    if (p >= stop) {
      refuse();
      return;
    }
    const head: u32 = load<u8>(p++);
    if (head == 0) break;
    if (head >> 4 == 0) {
      goOn(p);
      id = fieldId(head, id);
      p = place();
    } else id += head >> 4;
    const type = head & 15;
    const bit: u32 = id < 32 ? 1 << id : 0;
    if (id == 3) {
      // the path's list, compared as bytes
      const path = load<u32>(leaf + 8);
      const length = load<u32>(leaf + 12);
      if (type != LIST || length > <u32> (stop - p) || !equalBytes(p, path, length)) {
        refuse();
        return;
      }
      p += length;
    } else if (bit & (I32_FIELDS | I64_FIELDS)) {
      // one of another type is TypeScript's to judge
      if (type != (bit & I32_FIELDS ? I32 : I64)) {
        refuse();
        return;
      }
      const word = load<u64>(p);
      const ends = ~word & GOES_ON;
      let n: i64;
      if (ends != 0) {
        n = shortLong(word, ends);
        p += (<usize> ctz<u64>(ends) >> 3) + 1;
      } else {
        goOn(p);
        n = long();
        p = place();
      }
      if (id == 1) {
        if (n != <i64> load<u32>(leaf)) refuse();
      } else if (id == 4) codec = n;
      else if (id == 5) values = n;
      else if (id == 6) uncompressed = n;
      else if (id == 7) compressed = n;
      else if (id == 9) data = n;
      else if (id == 11) dictionary = n;
    } else {
      goOn(p);
      skip(type);
      p = place();
    }
    if (isBad()) return;
    seen |= bit;
  }
  goOn(p);
  const needed: u32 = (1 << 1) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 7) | (1 << 9);
  const start = dictionary > 0 && dictionary < data ? dictionary : data;
  if (
    (seen & needed) != needed || codec < 0 || codec > 7 || codec == 3 ||
    values < 0 || values > 0x7fffffff || uncompressed < 0 || uncompressed > 0x7fffffff ||
    compressed < 0 || compressed > 0x7fffffff || start < 4 || start > 0x7fffffff ||
    data >= start + compressed
  ) {
    refuse();
    return;
  }
  store<u32>(out, <u32> start);
  store<u32>(out + 4, <u32> compressed);
  store<u32>(out + 8, <u32> codec);
  store<u32>(out + 12, <u32> values);
  uncompressedTotal += uncompressed > compressed ? uncompressed : compressed;
}
