/** Bounds of columns as footers and manifests say them, on the scale of the table's columns. */
import { half } from "./evaluate.ts";
import { type RowGroup, type Statistics, typeOrder } from "../../parquet/format/metadata.ts";
import { physicalType, type TimeUnit } from "../../parquet/format/metadata.ts";
import type { SchemaNode, SchemaTree } from "../../parquet/format/schema.ts";
import { valueOrder, valueOrders } from "../../parquet/format/value_order.ts";
import { type LeafKind, leafKind } from "../../parquet/merge/union/leaf_kind.ts";
import { domainOf } from "./domain.ts";
import type { Bounds } from "./prune.ts";

type Value = bigint | number | Uint8Array;

/** A file's column that is a leaf in the file and in the table. */
interface Column {
  file: SchemaNode;
  table: LeafKind;
}

/** What a file says of its columns: a function for `mayMatch`. @param table the schema of the table's columns */
function columnsOf(file: SchemaTree, table: SchemaTree) {
  return (name: string): Column | "missing" | undefined => {
    const node = file.root.children.find((child) => child.name === name);
    if (node === undefined) return "missing";
    const there = table.root.children.find((child) => child.name === name);
    if (node.role !== "leaf" || node.repetition === 2 || there?.role !== "leaf") return undefined;
    return { file: node, table: leafKind(there) };
  };
}

/** Bounds by a row group's statistics. @param orders the footer's column orders */
export function groupBounds(
  group: RowGroup,
  orders: readonly number[] | undefined,
  file: SchemaTree,
  table: SchemaTree,
): (column: string) => Bounds | undefined {
  const find = columnsOf(file, table);
  const rows = group.numRows;
  return (name) => {
    const column = find(name);
    if (column === undefined) return undefined;
    if (column === "missing") return { rows, nulls: rows };
    const leaf = column.file;
    const statistics = group.columns[leaf.firstLeaf].metaData?.statistics;
    if (statistics === undefined) return { rows };
    const ordered = orders?.[leaf.firstLeaf] === typeOrder;
    const min = scaled(stored(lower(statistics, leaf, ordered), leaf), column);
    const max = scaled(stored(upper(statistics, leaf, ordered), leaf), column);
    return { rows, nulls: nullsOf(statistics.nullCount, rows), ...inOrder(min, max) };
  };
}

/** A count that can be true of so many rows. */
function nullsOf(count: number | undefined, rows: number): number | undefined {
  return count !== undefined && count >= 0 && count <= rows ? count : undefined;
}

/** Both bounds, or none when they contradict each other. */
function inOrder(min: Value | undefined, max: Value | undefined): Pick<Bounds, "min" | "max"> {
  const contradict = min !== undefined && max !== undefined &&
    (min instanceof Uint8Array
      ? isAfter(min, max as Uint8Array)
      : !(min <= (max as number | bigint)));
  return contradict ? {} : { min, max };
}

function isAfter(one: Uint8Array, other: Uint8Array): boolean {
  for (let i = 0; i < one.length; i++) {
    if (i >= other.length || one[i] > other[i]) return true;
    if (one[i] < other[i]) return false;
  }
  return false;
}

/** The deprecated bounds compare as signed numbers or bytes, so they say something of signed numbers only. */
function deprecatedIsSafe(leaf: SchemaNode): boolean {
  const order = valueOrder(leaf);
  return order === valueOrders.int32 || order === valueOrders.int64 ||
    order === valueOrders.float ||
    order === valueOrders.double || order === valueOrders.boolean;
}

function lower(s: Statistics, leaf: SchemaNode, ordered: boolean): Uint8Array | undefined {
  if (ordered && s.minValue !== undefined) return s.minValue;
  return deprecatedIsSafe(leaf) ? s.minValue ?? s.min : undefined;
}

function upper(s: Statistics, leaf: SchemaNode, ordered: boolean): Uint8Array | undefined {
  if (ordered && s.maxValue !== undefined) return s.maxValue;
  return deprecatedIsSafe(leaf) ? s.maxValue ?? s.max : undefined;
}

/** A bound in PLAIN bytes as a value of its leaf; undefined where it says nothing. */
function stored(bytes: Uint8Array | undefined, leaf: SchemaNode): Value | undefined {
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const number = (value: number) => Number.isNaN(value) ? undefined : value;
  const { length } = bytes;
  switch (valueOrder(leaf)) {
    case valueOrders.boolean:
      return length === 1 ? bytes[0] & 1 : undefined;
    case valueOrders.int32:
      return length === 4 ? view.getInt32(0, true) : undefined;
    case valueOrders.uint32:
      return length === 4 ? view.getUint32(0, true) : undefined;
    case valueOrders.int64:
      return length === 8 ? view.getBigInt64(0, true) : undefined;
    case valueOrders.uint64:
      return length === 8 ? view.getBigUint64(0, true) : undefined;
    case valueOrders.float:
      return length === 4 ? number(view.getFloat32(0, true)) : undefined;
    case valueOrders.double:
      return length === 8 ? number(view.getFloat64(0, true)) : undefined;
    case valueOrders.float16:
      return length === 2 ? number(half(view.getUint16(0, true))) : undefined;
    case valueOrders.signedBytes:
      return length > 0 && length <= 64 ? bigEndian(bytes) : undefined;
    case valueOrders.bytes:
      return bytes;
  }
  return undefined;
}

function bigEndian(bytes: Uint8Array): bigint {
  let value = bytes[0] > 127 ? -1n : 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

/** A value of the file's leaf on the scale of the table's. */
function scaled(value: Value | undefined, { file, table }: Column): Value | undefined {
  if (value === undefined || domainOf(table) === "none") return undefined;
  const from = file.logical, to = table.logical;
  if (value instanceof Uint8Array) {
    // a UUID's bytes are not in the order of its text
    return from?.kind === to?.kind || isText(from?.kind) && isText(to?.kind) ? value : undefined;
  }
  if (to?.kind === "DECIMAL") {
    const steps = to.scale - (from?.kind === "DECIMAL" ? from.scale : 0);
    return steps < 0 ? undefined : BigInt(value) * 10n ** BigInt(steps);
  }
  if (to?.kind === "TIMESTAMP" || to?.kind === "TIME") {
    if (from?.kind !== to.kind) return undefined;
    const steps = perSecond[to.unit] / perSecond[from.unit];
    return steps < 1 ? undefined : BigInt(value) * BigInt(steps);
  }
  return value;
}

const isText = (kind: string | undefined) =>
  kind === "STRING" || kind === "ENUM" || kind === "JSON";

const perSecond: Record<TimeUnit, number> = { MILLIS: 1e3, MICROS: 1e6, NANOS: 1e9 };

/** A file's statistics in the manifest: column → bounds, as inspect/file_statistics.ts makes them. */
export type ListedStatistics = Record<
  string,
  { min?: number | string | boolean; max?: number | string | boolean; nulls?: number }
>;

/** Bounds by the manifest. @param file the file's schema, by which its bounds are to be read */
export function fileBounds(
  statistics: ListedStatistics | null,
  rows: number,
  file: SchemaTree,
  table: SchemaTree,
): (column: string) => Bounds | undefined {
  const find = columnsOf(file, table);
  return (name) => {
    const column = find(name);
    if (column === undefined) return undefined;
    if (column === "missing") return { rows, nulls: rows };
    const one = statistics !== null && Object.hasOwn(statistics, name)
      ? statistics[name]
      : undefined;
    if (one === undefined) return { rows };
    const min = scaled(listed(one.min, column.file), column);
    const max = scaled(listed(one.max, column.file), column);
    return { rows, nulls: nullsOf(one.nulls, rows), ...inOrder(min, max) };
  };
}

function listed(
  bound: number | string | boolean | undefined,
  leaf: SchemaNode,
): Value | undefined {
  if (bound === undefined) return undefined;
  switch (leaf.element.type) {
    case physicalType.BOOLEAN:
      return bound ? 1 : 0;
    case physicalType.INT32:
    case physicalType.INT64:
      return /^-?\d+$/.test(String(bound)) ? BigInt(bound as string) : undefined;
    case physicalType.FLOAT:
    case physicalType.DOUBLE:
      return typeof bound === "number" ? bound : undefined;
    case physicalType.BYTE_ARRAY:
      return typeof bound === "string" && leaf.logical?.kind === "STRING"
        ? new TextEncoder().encode(bound)
        : undefined;
  }
  return undefined;
}
