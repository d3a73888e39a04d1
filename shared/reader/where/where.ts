/** Filters as plain objects: what a row must meet to be given. */

/**
 * A value that a column is compared with. Numbers of any size exactly: a number or bigint; a decimal as its digits
 * (`"12.50"`), a number only when it is whole. Text as a string, bytes as a Uint8Array, a UUID as a string or its 16
 * bytes. Dates and timestamps as a Date, or as a bigint (number) in the column's own unit since 1970; times of day in
 * the column's own unit.
 */
export type Literal = number | bigint | string | boolean | Date | Uint8Array;

/** Comparisons. Of a null they are unknown, as in SQL. With a NaN all are false but `!=`, as in IEEE 754. */
export type Comparison = "=" | "!=" | "<" | "<=" | ">" | ">=";

/**
 * A filter over top-level columns, in SQL's logic of true, false and unknown: rows for which it is true are given.
 *
 * @example
 * ```ts
 * const where: Where = { and: [
 *   { column: "ts", op: ">=", value: new Date("2024-11-25") },
 *   { or: [{ column: "world", op: "in", values: [1, 5] }, { column: "world", op: "is null" }] },
 * ] };
 * ```
 */
export type Where =
  | { column: string; op: Comparison; value: Literal }
  | { column: string; op: "in"; values: readonly Literal[] }
  | { column: string; op: "is null" | "is not null" }
  | { and: readonly Where[] }
  | { or: readonly Where[] }
  | { not: Where };
