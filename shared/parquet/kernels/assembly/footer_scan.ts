/**
 * Looks over the footer of a small file whose schema is, byte for byte, one that TypeScript has parsed before,
 * and notes where its chunks lie. What is not as usual is left to TypeScript (footer.ts, check_chunks.ts),
 * which also says what is wrong: a scan accepts or declines, it never rejects. A thousand fragments of 50 rows
 * have 25,000 chunks, and parsing their metadata into objects costs more than merging their pages.
 */
import { equalBytes } from "./intern";
import { reserve } from "./memory";

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
  let b = byte();
  if (b < 128) return b;
  let value: u64 = b & 127;
  let shift: u64 = 7;
  while (true) {
    b = byte();
    value |= <u64> (b & 127) << shift;
    if (b < 128) return value;
    shift += 7;
    if (shift > 63) {
      bad = true;
      return 0;
    }
  }
}

@inline
function zigzag(): i64 {
  const n = varint();
  return <i64> (n >> 1) ^ -(<i64> (n & 1));
}

@inline
function advance(n: u64): void {
  if (n > <u64> (end - at)) bad = true;
  else at += <usize> n;
}

function skip(type: u32, depth: i32, inList: bool): void {
  if (bad) return;
  if (depth > 16) {
    bad = true;
    return;
  }
  if (type == 8) advance(varint());
  else if (type >= 4 && type <= 6) varint();
  else if (type == 1 || type == 2) {
    if (inList) byte();
  } else if (type == 3) byte();
  else if (type == 7) advance(8);
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

/** Count of a list of `element`; an error when it holds something else. */
function listOf(element: u32): u32 {
  const head = byte();
  const count = head >> 4 == 15 ? varint() : <u64> (head >> 4);
  if (count > <u64> (end - at) || (count > 0 && (head & 15) != element)) {
    bad = true;
    return 0;
  }
  return <u32> count;
}

// what a scan found
let groups: u32 = 0;
let rowsTotal: u64 = 0;
let uncompressedTotal: u64 = 0;
let valuesTotal: u64 = 0;
let largestGroup: u64 = 0;
let codecs: u32 = 0;
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
/** A bit for each codec that is used. */
export function scanCodecs(): u32 {
  return codecs;
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
  codecs = 0;
  if (size < 12 || load<u32>(file) != 0x31524150 || load<u32>(file + size - 4) != 0x31524150) return false;
  const length = load<u32>(file + size - 8);
  if (length == 0 || length > size - 12) return false;
  const pagesEnd = size - 8 - length;
  at = file + pagesEnd;
  end = at + length;
  bad = false;
  let id: u32 = 0;
  let seen: u32 = 0;
  while (!bad) {
    const head = byte();
    if (head == 0) break;
    if (head >> 4 == 0) id = <u32> zigzag();
    else id += head >> 4;
    const type = head & 15;
    const start = at;
    if (id == 2 && type == 9) {
      if (schemaBytes != 0) {
        if (schemaBytes > <u32> (end - at) || !equalBytes(at, schema, schemaBytes)) return false;
        at += schemaBytes;
      } else skip(type, 0, false);
      schemaAt = start;
      schemaLength = <u32> (at - start);
    } else if (id == 4 && type == 9 && schemaBytes != 0) {
      if (seen & 16) return false;
      scanRowGroups(pagesEnd, leafPaths, leaves);
    } else if (id == 8) return false; // encrypted
    else {
      skip(type, 0, false);
      if (id == 5) {
        keyValuesAt = start;
        keyValuesLength = <u32> (at - start);
        if (
          schemaBytes != 0 &&
          (keyValuesLength != keyValuesBytes || !equalBytes(start, keyValues, keyValuesBytes))
        ) return false;
      }
    }
    if (id < 32) seen |= 1 << id;
  }
  if (bad || (seen & 0b11100) != 0b11100) return false;
  // a file without key-values differs from one that has them
  return schemaBytes == 0 || keyValuesLength == keyValuesBytes;
}

function scanRowGroups(pagesEnd: u32, leafPaths: usize, leaves: u32): void {
  const count = listOf(12);
  const groupBytes = 4 + (leaves << 4);
  if (<u64> count * groupBytes > 16 << 20 || reserveTable(count * groupBytes) == 0) {
    bad = true;
    return;
  }
  let out = table;
  // pages lie one behind the other, from group to group
  let free: u32 = 4;
  for (let g: u32 = 0; g < count && !bad; g++) {
    let rows: i64 = -1;
    let id: u32 = 0;
    let compressed: u64 = 0;
    let hasColumns = false;
    while (!bad) {
      const head = byte();
      if (head == 0) break;
      if (head >> 4 == 0) id = <u32> zigzag();
      else id += head >> 4;
      const type = head & 15;
      if (id == 1 && type == 9) {
        if (listOf(12) != leaves || hasColumns) {
          bad = true;
          return;
        }
        hasColumns = true;
        for (let c: u32 = 0; c < leaves && !bad; c++) {
          scanChunk(out + 4 + (c << 4), leafPaths + (c << 4));
          const start = load<u32>(out + 4 + (c << 4));
          const length = load<u32>(out + 8 + (c << 4));
          if (bad || start < free || length > pagesEnd || start > pagesEnd - length) {
            bad = true;
            return;
          }
          free = start + length;
          compressed += length;
        }
      } else if (id == 3 && type == 6) rows = zigzag();
      else skip(type, 0, false);
    }
    // groups without rows are unusual enough
    if (rows <= 0 || rows > 0x7fffffff || !hasColumns) {
      bad = true;
      return;
    }
    store<u32>(out, <u32> rows);
    for (let c: u32 = 0; c < leaves; c++) {
      const values = load<u32>(out + 16 + (c << 4));
      const flat = load<u32>(leafPaths + (c << 4) + 4);
      if (flat ? values != <u32> rows : values < <u32> rows) bad = true;
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
  while (!bad) {
    const head = byte();
    if (head == 0) break;
    if (head >> 4 == 0) id = <u32> zigzag();
    else id += head >> 4;
    const type = head & 15;
    if (id == 3 && type == 12) {
      if (hasMeta) bad = true;
      hasMeta = true;
      scanMeta(out, leaf);
    } else if (id == 1 || id == 8 || id == 9) bad = true; // elsewhere, or encrypted
    else skip(type, 0, false);
  }
  if (!hasMeta) bad = true;
}

/** The wire type of a number that is looked at; 0 of other fields. */
@inline
function known(id: u32): u32 {
  if (id == 1 || id == 4) return 5;
  return (id >= 5 && id <= 7) || id == 9 || id == 11 ? 6 : 0;
}

function scanMeta(out: usize, leaf: usize): void {
  let id: u32 = 0;
  let seen: u32 = 0;
  let codec: i64 = 0;
  let values: i64 = 0;
  let uncompressed: i64 = 0;
  let compressed: i64 = 0;
  let data: i64 = 0;
  let dictionary: i64 = 0;
  while (!bad) {
    const head = byte();
    if (head == 0) break;
    if (head >> 4 == 0) id = <u32> zigzag();
    else id += head >> 4;
    const type = head & 15;
    if (id == 3) {
      // the path's list, compared as bytes
      const path = load<u32>(leaf + 8);
      const length = load<u32>(leaf + 12);
      if (type != 9 || length > <u32> (end - at) || !equalBytes(at, path, length)) {
        bad = true;
        return;
      }
      at += length;
    } else if (known(id) != 0) {
      // one of another type is TypeScript's to judge
      if (type != known(id)) {
        bad = true;
        return;
      }
      const n = zigzag();
      if (id == 1) {
        if (n != <i64> load<u32>(leaf)) bad = true;
      } else if (id == 4) codec = n;
      else if (id == 5) values = n;
      else if (id == 6) uncompressed = n;
      else if (id == 7) compressed = n;
      else if (id == 9) data = n;
      else if (id == 11) dictionary = n;
    } else skip(type, 0, false);
    if (id < 32) seen |= 1 << id;
  }
  const needed: u32 = (1 << 1) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 7) | (1 << 9);
  const start = dictionary > 0 && dictionary < data ? dictionary : data;
  if (
    (seen & needed) != needed || codec < 0 || codec > 7 || codec == 3 ||
    values < 0 || values > 0x7fffffff || uncompressed < 0 || uncompressed > 0x7fffffff ||
    compressed < 0 || compressed > 0x7fffffff || start < 4 || start > 0x7fffffff ||
    data >= start + compressed
  ) {
    bad = true;
    return;
  }
  store<u32>(out, <u32> start);
  store<u32>(out + 4, <u32> compressed);
  store<u32>(out + 8, <u32> codec);
  codecs |= 1 << <u32> codec;
  store<u32>(out + 12, <u32> values);
  uncompressedTotal += uncompressed > compressed ? uncompressed : compressed;
}
