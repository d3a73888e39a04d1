import type { LeafNode } from "../columns/build_columns.ts";
import type { EnumLeaf } from "../columns/leaves.ts";
import { bitWidth } from "./hybrid_runs.ts";

/** The values of a column that are there, ready to be put into pages. */
export interface ColumnValues {
  /** PLAIN bytes; of booleans a byte each. Empty where there are indices. */
  data: Uint8Array;
  /** Bytes of a value in `data`; 0 where each stands behind its length. */
  width: number;
  isBoolean: boolean;
  /** Enums: the values as indices of `symbols`, and the bits of one. */
  indices: Int32Array | undefined;
  indexBits: number;
  /** Enums: the symbols that occur. */
  symbols: string[] | undefined;
}

/** A column's values; views of what the column holds where that is PLAIN already. */
export function columnValues(leaf: LeafNode): ColumnValues {
  switch (leaf.kind) {
    case "null":
      return plain(new Uint8Array(0), 4);
    case "boolean":
      return { ...plain(leaf.values.view(), 1), isBoolean: true };
    case "int32":
    case "int64":
    case "fixed":
      if ("data" in leaf) return plain(leaf.data.view(), leaf.size);
      return plain(bytesOf(leaf.values.view()), leaf.kind === "int32" ? 4 : 8);
    case "float":
      return plain(bytesOf(leaf.values.view()), 4);
    case "double":
      return plain(bytesOf(leaf.values.view()), 8);
    case "bytes":
      return plain(leaf.data.view(), 0);
    case "enum":
      return enumValues(leaf);
  }
}

/** Only the symbols that occur: a dictionary in the file should not name others. */
function enumValues(leaf: EnumLeaf): ColumnValues {
  const values = leaf.values.view();
  const ids = new Int32Array(leaf.symbols.length).fill(-1);
  const indices = new Int32Array(values.length);
  const symbols: string[] = [];
  for (let n = 0; n < values.length; n++) {
    const value = values[n];
    if (ids[value] < 0) ids[value] = symbols.push(leaf.symbols[value]) - 1;
    indices[n] = ids[value];
  }
  const indexBits = bitWidth(Math.max(1, symbols.length - 1));
  return { ...plain(new Uint8Array(0), 4), indices, indexBits, symbols };
}

function plain(data: Uint8Array, width: number): ColumnValues {
  return { data, width, isBoolean: false, indices: undefined, indexBits: 0, symbols: undefined };
}

function bytesOf(ints: Int32Array): Uint8Array {
  return new Uint8Array(ints.buffer, ints.byteOffset, ints.byteLength);
}
