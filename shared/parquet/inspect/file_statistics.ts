import {
  type FileMetaData,
  physicalType,
  type RowGroup,
  type Statistics,
  typeOrder,
} from "../format/metadata.ts";
import type { SchemaNode, SchemaTree } from "../format/schema.ts";

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
/** Columns of which these are the first that have bounds. */
const maxLookedAt = 256;
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
  const gathering = new StatisticsGathering(metadata, tree);
  for (const group of metadata.rowGroups) gathering.add(group);
  return gathering.statistics();
}

/** The same, row group by row group. */
export class StatisticsGathering {
  readonly #columns: ColumnGathering[] = [];

  /** @param metadata whose row groups are not looked at */
  constructor({ columnOrders }: Pick<FileMetaData, "columnOrders">, tree: SchemaTree) {
    for (const node of tree.root.children) {
      if (node.role !== "leaf" || node.repetition === 2) continue;
      this.#columns.push(new ColumnGathering(node, columnOrders?.[node.firstLeaf] === typeOrder));
      if (this.#columns.length === maxLookedAt) break;
    }
  }

  add(group: RowGroup): void {
    for (const column of this.#columns) column.add(group);
  }

  statistics(): FileStatistics {
    const result: FileStatistics = Object.create(null);
    let count = 0, chars = 0;
    for (const column of this.#columns) {
      if (count === maxColumns) break;
      const { name } = column.node;
      const one = column.statistics();
      if (one === undefined) continue;
      chars += mostChars(name, one);
      if (chars > maxChars) {
        // nearer looked at: most texts need no escapes
        chars = JSON.stringify({ ...result, [name]: one }).length;
        if (chars > maxChars) break;
      }
      count++;
      result[name] = one;
    }
    return result;
  }
}

/** What one column comes to as JSON, at most: an escaped character has six, a number 24. */
function mostChars(name: string, { min, max }: ColumnStatistics): number {
  const bound = (value: ColumnStatistics["min"]) =>
    typeof value === "string" ? 6 * value.length : 24;
  return 6 * name.length + bound(min) + bound(max) + 64;
}

type Bound = number | bigint | string | boolean;

class ColumnGathering {
  readonly node: SchemaNode;
  readonly #ordered: boolean;
  #nulls: number | undefined = 0;
  #min: Bound | undefined;
  #max: Bound | undefined;
  #known = true;

  /** @param ordered whether the column's bounds are by the order of its type */
  constructor(node: SchemaNode, ordered: boolean) {
    this.node = node;
    this.#ordered = ordered;
  }

  add(group: RowGroup): void {
    if (group.numRows === 0) return;
    const { node } = this, ordered = this.#ordered;
    const statistics = group.columns[node.firstLeaf].metaData?.statistics;
    if (statistics?.nullCount === undefined || statistics.nullCount < 0) this.#nulls = undefined;
    else if (this.#nulls !== undefined) this.#nulls += statistics.nullCount;
    if (statistics?.nullCount === group.numRows || !this.#known) return;
    const low = statistics && decodeBound(lower(statistics, node, ordered), node, false);
    const high = statistics && decodeBound(upper(statistics, node, ordered), node, true);
    if (low === undefined || high === undefined || low > high) {
      this.#known = false;
      return;
    }
    if (this.#min === undefined || low < this.#min) this.#min = low;
    if (this.#max === undefined || high > this.#max) this.#max = high;
  }

  statistics(): ColumnStatistics | undefined {
    const nulls = this.#nulls;
    let min = this.#min, max = this.#max;
    if (this.#known && min !== undefined && max !== undefined) {
      if (this.node.logical?.kind === "STRING") [min, max] = cutBounds(String(min), String(max));
      return { min: toJson(min), max: toJson(max), ...(nulls !== undefined && { nulls }) };
    }
    return nulls === undefined ? undefined : { nulls };
  }
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
