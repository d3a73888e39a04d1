import { type FileMetaData, physicalType, type Statistics, typeOrder } from "../format/metadata.ts";
import { chunksAtOnce } from "./check_chunks.ts";
import type { SchemaNode, SchemaTree } from "../format/schema.ts";
import { allAtOnce, type Steps } from "../format/steps.ts";

/**
 * Bounds of one column over the whole file, for the catalog. Integers beyond 2^53, and decimals, are strings
 * of digits; times and dates are the stored integers; texts are cut, so that bounds may be wider than the
 * values (`min` is never above, `max` never below).
 */
export interface ColumnStatistics {
  min?: number | string | boolean;
  max?: number | string | boolean;
  /** Nulls in the column. */
  nulls?: number;
}

/** Column name → bounds; columns without anything to say are left out. */
export type FileStatistics = Record<string, ColumnStatistics>;

/** More columns, or longer texts, would make rows of the catalog large. */
const maxColumns = 64;
const maxTextBytes = 48;
/** Of text bounds so many characters are kept after what both begin with: more would tell no two files apart. */
const distinctChars = 12;

/** All of them as JSON: each data file's lie in the catalog, and a page of the manifest holds a thousand. */
const maxChars = 16 * 1024;

/**
 * Statistics of the top-level leaves as the writer gave them, where their order is one that we know: they are
 * hints for pruning, never facts for a merge.
 */
export function fileStatistics(metadata: FileMetaData, tree: SchemaTree): FileStatistics {
  return allAtOnce(fileStatisticsSteps(metadata, tree));
}

/** The same, coming back now and then, for who lets others go on meanwhile. */
export function* fileStatisticsSteps(
  metadata: FileMetaData,
  tree: SchemaTree,
): Steps<FileStatistics> {
  const result: FileStatistics = Object.create(null);
  let count = 0, chars = 0;
  for (const node of tree.root.children) {
    if (node.role !== "leaf" || node.repetition === 2) continue;
    if (count === maxColumns) break;
    const one = yield* columnStatistics(metadata, node);
    if (one === undefined) continue;
    chars += mostChars(node.name, one);
    if (chars > maxChars) {
      // nearer looked at: most texts need no escapes
      chars = JSON.stringify({ ...result, [node.name]: one }).length;
      if (chars > maxChars) break;
    }
    count++;
    result[node.name] = one;
  }
  return result;
}

/** What one column comes to as JSON, at most: an escaped character has six, a number 24. */
function mostChars(name: string, { min, max }: ColumnStatistics): number {
  const bound = (value: ColumnStatistics["min"]) =>
    typeof value === "string" ? 6 * value.length : 24;
  return 6 * name.length + bound(min) + bound(max) + 64;
}

type Bound = number | bigint | string | boolean;

function* columnStatistics(
  metadata: FileMetaData,
  node: SchemaNode,
): Steps<ColumnStatistics | undefined> {
  let nulls: number | undefined = 0;
  let min: Bound | undefined, max: Bound | undefined, known = true;
  const ordered = metadata.columnOrders?.[node.firstLeaf] === typeOrder;
  for (const [at, group] of metadata.rowGroups.entries()) {
    if ((at + 1) % chunksAtOnce === 0) yield;
    if (group.numRows === 0) continue;
    const statistics = group.columns[node.firstLeaf].metaData?.statistics;
    if (statistics?.nullCount === undefined || statistics.nullCount < 0) nulls = undefined;
    else if (nulls !== undefined) nulls += statistics.nullCount;
    if (statistics?.nullCount === group.numRows) continue;
    const low = statistics && decodeBound(lower(statistics, node, ordered), node, false);
    const high = statistics && decodeBound(upper(statistics, node, ordered), node, true);
    if (low === undefined || high === undefined || low > high) {
      known = false;
      continue;
    }
    if (min === undefined || low < min) min = low;
    if (max === undefined || high > max) max = high;
  }
  if (known && min !== undefined && max !== undefined) {
    if (node.logical?.kind === "STRING") [min, max] = cutBounds(String(min), String(max));
    return { min: toJson(min), max: toJson(max), ...(nulls !== undefined && { nulls }) };
  }
  return nulls === undefined ? undefined : { nulls };
}

/** The deprecated fields compare as signed numbers or bytes, so they say something of signed numbers only. */
function deprecatedIsSafe(node: SchemaNode): boolean {
  const unsigned = node.logical?.kind === "INTEGER" && !node.logical.signed;
  return !unsigned && node.element.type !== physicalType.BYTE_ARRAY &&
    node.element.type !== physicalType.FIXED_LEN_BYTE_ARRAY;
}

function lower(s: Statistics, node: SchemaNode, ordered: boolean): Uint8Array | undefined {
  if (ordered && s.minValue !== undefined) return s.minValue;
  return deprecatedIsSafe(node) ? s.minValue ?? s.min : undefined;
}

function upper(s: Statistics, node: SchemaNode, ordered: boolean): Uint8Array | undefined {
  if (ordered && s.maxValue !== undefined) return s.maxValue;
  return deprecatedIsSafe(node) ? s.maxValue ?? s.max : undefined;
}

/** A bound's value, or undefined where its bytes or order are not ones that we know. */
function decodeBound(
  bytes: Uint8Array | undefined,
  node: SchemaNode,
  isUpper: boolean,
): Bound | undefined {
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const logical = node.logical;
  const unsigned = logical?.kind === "INTEGER" && !logical.signed;
  switch (node.element.type) {
    case physicalType.BOOLEAN:
      return bytes.length === 1 ? bytes[0] === 1 : undefined;
    case physicalType.INT32:
      if (bytes.length !== 4) return undefined;
      return unsigned ? view.getUint32(0, true) : view.getInt32(0, true);
    case physicalType.INT64:
      if (bytes.length !== 8) return undefined;
      return unsigned ? view.getBigUint64(0, true) : view.getBigInt64(0, true);
    case physicalType.FLOAT:
      return bytes.length === 4 ? finite(view.getFloat32(0, true)) : undefined;
    case physicalType.DOUBLE:
      return bytes.length === 8 ? finite(view.getFloat64(0, true)) : undefined;
    case physicalType.BYTE_ARRAY:
      return logical?.kind === "STRING" ? text(bytes, isUpper) : undefined;
  }
  return undefined;
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value + 0 : undefined;
}

/** A text bound in ASCII, for which comparing code units is comparing bytes; a long one is cut outwards. */
function text(bytes: Uint8Array, isUpper: boolean): string | undefined {
  const length = Math.min(bytes.length, maxTextBytes);
  let cut = "";
  for (let at = 0; at < length; at++) {
    const byte = bytes[at]!;
    if (byte < 32 || byte > 126) return undefined;
    cut += String.fromCharCode(byte);
  }
  return isUpper && bytes.length > length ? successor(cut) : cut;
}

/** The least text of printable ASCII that is above all that begin with this; undefined where there is none. */
function successor(prefix: string): string | undefined {
  const kept = prefix.replace(/~+$/, "");
  if (kept === "") return undefined;
  return kept.slice(0, -1) + String.fromCharCode(kept.charCodeAt(kept.length - 1) + 1);
}

/** Text bounds, cut outwards where they are longer than is of use. */
function cutBounds(min: string, max: string): [string, string] {
  let same = 0;
  while (same < min.length && min[same] === max[same]) same++;
  const length = same + distinctChars;
  return [
    min.slice(0, length),
    max.length > length ? successor(max.slice(0, length)) ?? max : max,
  ];
}

function toJson(bound: Bound): number | string | boolean {
  if (typeof bound !== "bigint") return bound;
  const number = Number(bound);
  return Number.isSafeInteger(number) ? number : String(bound);
}
