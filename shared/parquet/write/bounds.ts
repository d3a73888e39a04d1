import { valueOrders } from "../format/value_order.ts";

/** Bounds of a page's or chunk's values, PLAIN without lengths; exact where nothing was cut. */
export interface Bounds {
  min: Uint8Array;
  max: Uint8Array;
  minExact: boolean;
  maxExact: boolean;
}

/** Bounds of byte arrays are cut to this many bytes. */
const boundBytes = 64;

/** assembly/value_bounds.ts keeps this many bytes of a bound. */
const keptBytes = 128;

/**
 * The bounds that the kernels left at `at`: [found][min length][max length][NaN count][min][max]. A zero of a
 * float is widened to both signs (parquet.thrift, ColumnOrder), and is not exact then. Undefined where values have no
 * bound: one of them can't be cut, or is NaN. parquet.thrift would have NaN left out of bounds, and DuckDB then prunes what
 * `= 'nan'` or `> 5` should find, as it orders NaN above all numbers; leaving both bounds out is allowed.
 *
 * @param isText whether bounds must be UTF-8, as the values are (parquet.thrift, ColumnIndex: a valid value of the type)
 */
export function readBounds(
  memory: Uint8Array,
  at: number,
  order: number,
  isText: boolean,
): Bounds | undefined {
  const words = new DataView(memory.buffer, at, 16);
  if (words.getUint32(0, true) === 0 || words.getUint32(12, true) > 0) return undefined;
  const minLength = words.getUint32(4, true);
  const maxLength = words.getUint32(8, true);
  let min: Uint8Array = memory.slice(at + 16, at + 16 + Math.min(minLength, keptBytes));
  let max: Uint8Array = memory.slice(
    at + 16 + keptBytes,
    at + 16 + keptBytes + Math.min(maxLength, keptBytes),
  );
  let minExact = true, maxExact = true;
  if (order === valueOrders.bytes) {
    if (minLength > boundBytes) {
      min = min.slice(0, isText ? wholeCharacters(min, boundBytes) : boundBytes);
      minExact = false;
    }
    if (maxLength > boundBytes) {
      const cut = isText
        ? roundTextUp(max.subarray(0, wholeCharacters(max, boundBytes)))
        : roundUp(max.subarray(0, boundBytes));
      if (cut === undefined) return undefined;
      max = cut;
      maxExact = false;
    }
  } else if (minLength > keptBytes || maxLength > keptBytes) {
    return undefined; // a decimal that long can't be cut
  }
  if (isZeroOf(order, min) && min[min.length - 1] === 0) {
    min[min.length - 1] = 128;
    minExact = false;
  }
  if (isZeroOf(order, max) && max[max.length - 1] === 128) {
    max[max.length - 1] = 0;
    maxExact = false;
  }
  return { min, max, minExact, maxExact };
}

function isZeroOf(order: number, bytes: Uint8Array): boolean {
  if (
    order !== valueOrders.float && order !== valueOrders.double && order !== valueOrders.float16
  ) return false;
  for (let i = 0; i < bytes.length - 1; i++) if (bytes[i] !== 0) return false;
  return (bytes[bytes.length - 1] & 127) === 0;
}

/** Bytes above all that begin with `prefix`: the last byte below 255 is raised. */
function roundUp(prefix: Uint8Array): Uint8Array | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    if (prefix[i] === 255) continue;
    const raised = prefix.slice(0, i + 1);
    raised[i]++;
    return raised;
  }
  return undefined;
}

/** How many of the first `most` bytes of a UTF-8 text are whole characters. */
function wholeCharacters(text: Uint8Array, most: number): number {
  let end = Math.min(most, text.length);
  while (end > 0 && end < text.length && (text[end] & 0xc0) === 0x80) end--;
  return end;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true }), encoder = new TextEncoder();

/** The last character of Unicode, and those that UTF-16 keeps for itself. */
const lastCharacter = 0x10ffff, firstSurrogate = 0xd800, behindSurrogates = 0xe000;

/**
 * A text above all that begin with `prefix`, whose last character is raised to the next one; UTF-8 is ordered as its
 * characters are. Undefined where all are the last of Unicode.
 */
function roundTextUp(prefix: Uint8Array): Uint8Array | undefined {
  const characters = [...decoder.decode(prefix)];
  for (let i = characters.length - 1; i >= 0; i--) {
    const code = characters[i].codePointAt(0)!;
    if (code === lastCharacter) continue;
    const next = code + 1 === firstSurrogate ? behindSurrogates : code + 1;
    return encoder.encode(characters.slice(0, i).join("") + String.fromCodePoint(next));
  }
  return undefined;
}

/** Two values side by side, each at the front of its 16 bytes: a view made for each would be garbage by the page. */
const pair = new Uint8Array(32);
const pairView = new DataView(pair.buffer);

/** Below, equal or above 0, by a leaf's order. */
function compareBounds(order: number, a: Uint8Array, b: Uint8Array): number {
  if (order === valueOrders.signedBytes) return compareSigned(a, b);
  if (order === valueOrders.bytes || a.length > 8 || b.length > 8) return compareBytes(a, b);
  pair.set(a);
  pair.set(b, 16);
  switch (order) {
    case valueOrders.int32:
      return pairView.getInt32(0, true) - pairView.getInt32(16, true);
    case valueOrders.uint32:
      return pairView.getUint32(0, true) - pairView.getUint32(16, true);
    case valueOrders.int64:
      return sign(pairView.getBigInt64(0, true), pairView.getBigInt64(16, true));
    case valueOrders.uint64:
      return sign(pairView.getBigUint64(0, true), pairView.getBigUint64(16, true));
    case valueOrders.float:
      return pairView.getFloat32(0, true) - pairView.getFloat32(16, true) || 0;
    case valueOrders.double:
      return sign(pairView.getFloat64(0, true), pairView.getFloat64(16, true));
    case valueOrders.float16:
      return half(a) - half(b) || 0;
    case valueOrders.boolean:
      return a[0] - b[0];
  }
  return compareBytes(a, b);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function sign<T extends number | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A binary16 number. */
function half(bytes: Uint8Array): number {
  const bits = bytes[0] | (bytes[1] << 8);
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 31
    ? Infinity
    : exponent === 0
    ? fraction * 2 ** -24
    : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

function compareSigned(a: Uint8Array, b: Uint8Array): number {
  const signA = a.length > 0 && a[0] > 127 ? 255 : 0;
  const signB = b.length > 0 && b[0] > 127 ? 255 : 0;
  if (signA !== signB) return signA === 255 ? -1 : 1;
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a[i + a.length - length] ?? signA;
    const y = b[i + b.length - length] ?? signB;
    if (x !== y) return x - y;
  }
  return 0;
}

/** The bounds of two parts together; a tie is exact only when both are. */
export function joinBounds(order: number, a: Bounds, b: Bounds): Bounds {
  const low = compareBounds(order, a.min, b.min);
  const high = compareBounds(order, a.max, b.max);
  return {
    min: low <= 0 ? a.min : b.min,
    max: high >= 0 ? a.max : b.max,
    minExact: low === 0 ? a.minExact && b.minExact : low < 0 ? a.minExact : b.minExact,
    maxExact: high === 0 ? a.maxExact && b.maxExact : high > 0 ? a.maxExact : b.maxExact,
  };
}

/** parquet.thrift BoundaryOrder of pages that have bounds: 0 unordered, 1 ascending, 2 descending. */
export function boundaryOrder(order: number, pages: readonly Bounds[]): number {
  let ascending = true, descending = true;
  for (let i = 1; i < pages.length && (ascending || descending); i++) {
    const low = compareBounds(order, pages[i - 1].min, pages[i].min);
    const high = compareBounds(order, pages[i - 1].max, pages[i].max);
    ascending &&= low <= 0 && high <= 0;
    descending &&= low >= 0 && high >= 0;
  }
  return ascending ? 1 : descending ? 2 : 0;
}
