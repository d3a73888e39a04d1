import { parquetError } from "../../format/parquet_error.ts";
import type { SchemaTree } from "../../format/schema.ts";
import { schemaText, shapeText } from "../../format/schema_text.ts";

/** How PLAIN values of a source become those of the output; assembly/convert.ts. */
export const conversions = {
  keep: 0,
  int32ToInt64: 1,
  uint32ToInt64: 2,
  floatToDouble: 3,
  /** × parameter, overflow-checked: ms → µs. */
  scaleInt64: 4,
  scaleInt32ToInt64: 5,
  int32ToDouble: 6,
  /** Big-endian two's complement, parameter = from | to << 16. */
  fixedToFixed: 7,
  /** parameter = to << 16. */
  int32ToFixed: 8,
  int64ToFixed: 9,
  bytesToFixed: 10,
  /** parameter = from. */
  fixedToBytes: 11,
  scaleInt32: 12,
  /** From a column of nulls, which has no values. */
  nothing: 13,
  /** Decimals × 10^k into big-endian bytes: parameter = from | to << 8 | k << 16. */
  scaleInt32ToFixed: 14,
  scaleInt64ToFixed: 15,
  scaleFixed: 16,
  scaleBytesToFixed: 17,
  int32ToFloat: 18,
  uint32ToDouble: 19,
  uuidToText: 20,
} as const;

/** How one leaf of the output is filled from files of one layout. */
export type LeafSource =
  | {
    kind: "pages";
    /** Index of the source's leaf. */
    leaf: number;
    /** Definition level of the source → of the output; left out where they are equal. */
    levels?: Uint8Array;
    /** One of {@link conversions}; left out where values are the same. */
    conversion?: number;
    parameter?: number;
  }
  /** A column that the source lacks and that no list stands above: one null a row. */
  | { kind: "nulls"; definitionLevel: number }
  /**
   * A leaf that the source lacks inside of a group that it has: the levels of `sibling` (an output leaf that
   * the source fills), without entries that repeat deeper than the common ancestor's `repetitionLevel`,
   * definition cut at its `definitionLevel`.
   */
  | { kind: "sibling"; sibling: number; repetitionLevel: number; definitionLevel: number };

/** How files of one layout fill the output's leaves, in leaf order. */
export interface SourcePlan {
  leaves: LeafSource[];
  /** Whether the source's row groups can be copied as they are. */
  identical: boolean;
}

/** Gives the plan for a source's schema; throws `schema_incompatible` when it can't fill the output. */
export type PlanSource = (source: SchemaTree) => SourcePlan;

/** The plan of sources that have the output's own schema and levels; others are refused. */
export function sameSchema(output: SchemaTree): PlanSource {
  const text = schemaText(output);
  const shape = shapeText(output);
  return (source) => {
    const other = schemaText(source);
    if (other !== text || shapeText(source) !== shape) {
      const cut = (long: string) => long.length > 2000 ? `${long.slice(0, 2000)}…` : long;
      throw parquetError(
        "schema_incompatible",
        `the schema ${cut(other)} is not that of the output`,
        {},
        { expected: cut(text) },
      );
    }
    return {
      leaves: output.leaves.map((_, leaf) => ({ kind: "pages", leaf })),
      identical: true,
    };
  };
}
