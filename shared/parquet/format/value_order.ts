import { physicalType } from "./metadata.ts";
import type { SchemaNode } from "./schema.ts";

/** How a leaf's values are ordered; the numbers of assembly/order.ts. */
export const valueOrders = {
  none: 0,
  int32: 1,
  uint32: 2,
  int64: 3,
  uint64: 4,
  float: 5,
  double: 6,
  boolean: 7,
  bytes: 8,
  signedBytes: 9,
  float16: 10,
} as const;

/**
 * The order of a leaf's values by its logical type (parquet.thrift, ColumnOrder TYPE_ORDER). `none` where the
 * spec defines none, or where it isn't known: INT96, INTERVAL, geometry, variants, unknown types.
 */
export function valueOrder(leaf: SchemaNode): number {
  for (let node: SchemaNode | undefined = leaf; node !== undefined; node = node.parent) {
    if (node.role === "variant") return valueOrders.none;
  }
  const { logical, element } = leaf;
  const unsigned = logical?.kind === "INTEGER" && !logical.signed;
  switch (logical?.kind) {
    case "INTERVAL":
    case "GEOMETRY":
    case "GEOGRAPHY":
    case "VARIANT":
    case "UNKNOWN":
    case "OTHER":
      return valueOrders.none;
  }
  switch (element.type) {
    case physicalType.BOOLEAN:
      return valueOrders.boolean;
    case physicalType.INT32:
      return unsigned ? valueOrders.uint32 : valueOrders.int32;
    case physicalType.INT64:
      return unsigned ? valueOrders.uint64 : valueOrders.int64;
    case physicalType.FLOAT:
      return valueOrders.float;
    case physicalType.DOUBLE:
      return valueOrders.double;
    case physicalType.BYTE_ARRAY:
      return logical?.kind === "DECIMAL" ? valueOrders.signedBytes : valueOrders.bytes;
    case physicalType.FIXED_LEN_BYTE_ARRAY:
      if (logical?.kind === "DECIMAL") return valueOrders.signedBytes;
      return logical?.kind === "FLOAT16" ? valueOrders.float16 : valueOrders.bytes;
  }
  return valueOrders.none;
}

/** Whether a leaf's values are texts, which must be UTF-8 (LogicalTypes.md). */
export function holdsText(leaf: SchemaNode): boolean {
  const kind = leaf.logical?.kind;
  return kind === "STRING" || kind === "JSON" || kind === "ENUM";
}

/** Bytes of a PLAIN value; 0 for byte arrays. */
export function valueWidth(leaf: SchemaNode): number {
  switch (leaf.element.type) {
    case physicalType.BOOLEAN:
      return 1;
    case physicalType.INT32:
    case physicalType.FLOAT:
      return 4;
    case physicalType.INT64:
    case physicalType.DOUBLE:
      return 8;
    case physicalType.INT96:
      return 12;
    case physicalType.FIXED_LEN_BYTE_ARRAY:
      return leaf.element.typeLength!;
  }
  return 0;
}
