/** Whether rows of a file or row group can meet a filter, by the bounds of its columns. */
import { compareBytes, compareNumber, domainOf, type Point } from "./domain.ts";
import type { Filter } from "./filter.ts";
import {
  any,
  both,
  either,
  isFalse,
  isTrue,
  isUnknown,
  mayBeTrue,
  only,
  opposite,
  type Outcomes,
} from "./outcome.ts";
import type { Comparison } from "./where.ts";

/** What is known of a column's values, on the scale of the table's column. */
export interface Bounds {
  /** Never above a value, never below; NaN may be beside them. Undefined: not known. */
  min?: bigint | number | Uint8Array;
  max?: bigint | number | Uint8Array;
  /** Rows that are null. Undefined: not known. */
  nulls?: number;
  rows: number;
}

/** Whether a row can meet the filter. @param boundsOf undefined: nothing is known of the column */
export function mayMatch(
  filter: Filter,
  boundsOf: (column: string) => Bounds | undefined,
): boolean {
  return mayBeTrue(outcomes(filter, boundsOf));
}

function outcomes(filter: Filter, boundsOf: (column: string) => Bounds | undefined): Outcomes {
  switch (filter.kind) {
    case "and":
      return filter.parts.reduce((all, part) => both(all, outcomes(part, boundsOf)), only(isTrue));
    case "or":
      return filter.parts.reduce(
        (all, part) => either(all, outcomes(part, boundsOf)),
        only(isFalse),
      );
    case "not":
      return opposite(outcomes(filter.part, boundsOf));
    case "null": {
      const bounds = boundsOf(filter.column);
      const { nulls, rows } = bounds ?? { nulls: undefined, rows: 1 };
      const isNull = (nulls === 0 ? 0 : only(isTrue)) | (nulls === rows ? 0 : only(isFalse));
      return filter.negated ? opposite(isNull) : isNull;
    }
    case "compare": {
      const bounds = boundsOf(filter.column);
      if (bounds === undefined) return any;
      const { nulls, rows } = bounds;
      const unknown = nulls === 0 ? 0 : only(isUnknown);
      if (nulls === rows) return only(isUnknown);
      return unknown | compared(filter.op, filter.point, bounds, domainOf(filter.leaf));
    }
  }
}

/** The outcomes for values that are there. */
function compared(
  op: Comparison,
  point: Point,
  { min, max }: Bounds,
  domain: string,
): Outcomes {
  const low = min === undefined ? undefined : sign(min, point);
  const high = max === undefined ? undefined : sign(max, point);
  // each of: may a value lie below the point, at it, above it; bounds may be wider than the values
  const below = low === undefined || low < 0;
  const above = high === undefined || high > 0;
  const at = (low === undefined || low <= 0) && (high === undefined || high >= 0) && point.exact;
  const yes = {
    "=": at,
    "!=": below || above,
    "<": below,
    "<=": below || at,
    ">": above,
    ">=": above || at,
  };
  const no = {
    "=": below || above,
    "!=": at,
    "<": above || at,
    "<=": above,
    ">": below || at,
    ">=": below,
  };
  let result = (yes[op] ? only(isTrue) : 0) | (no[op] ? only(isFalse) : 0);
  // a NaN stands in no bounds: != is true of it, the others are false
  if (domain === "floating") result |= only(op === "!=" ? isTrue : isFalse);
  return result === 0 ? only(isTrue) | only(isFalse) : result;
}

function sign(value: bigint | number | Uint8Array, point: Point): number | undefined {
  return value instanceof Uint8Array
    ? compareBytes(value, 0, value.length, point)
    : compareNumber(value, point);
}
