/** How hyparquet shows the values that DuckDB reads: what is another JavaScript type, and what is lost. */
import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
} from "@duckdb/node-api";

/** Milliseconds of a timestamp as hyparquet cuts them, toward 1970. */
const cut = (units: bigint, perMillisecond: bigint) => new Date(Number(units / perMillisecond));

/**
 * What hyparquet gives for a value that DuckDB gives.
 * @param lose called once for each value of which hyparquet does not tell all
 */
export function asHyparquet(value: unknown, lose: () => void): unknown {
  const inner = (one: unknown) => asHyparquet(one, lose);
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) {
    if (value.micros % 1000n !== 0n) lose();
    return cut(value.micros, 1000n);
  }
  if (value instanceof DuckDBTimestampNanosecondsValue) {
    if (value.nanos % 1_000_000n !== 0n) lose();
    return cut(value.nanos, 1_000_000n);
  }
  if (value instanceof DuckDBDecimalValue) {
    const shown = Number(value.value) * 10 ** -value.scale;
    // the nearest number to the decimal's text tells all of up to 15 digits; the product may be beside it
    if (shown !== Number(value.toString()) || BigInt(Number(value.value)) !== value.value) lose();
    return shown;
  }
  if (value instanceof DuckDBDateValue) return new Date(value.days * 86_400_000);
  if (value instanceof DuckDBTimeValue) return value.micros;
  if (value instanceof DuckDBUUIDValue) return value.toString();
  if (value instanceof DuckDBBlobValue) return new Uint8Array(value.bytes);
  if (value instanceof DuckDBListValue) return value.items.map(inner);
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([k, v]) => [k, inner(v)]));
  }
  if (value instanceof DuckDBMapValue) {
    // an object has each key once, as text
    const entries = value.entries.map(({ key, value }): [string, unknown] => [
      String(key),
      inner(value),
    ]);
    if (new Set(entries.map(([key]) => key)).size < entries.length) lose();
    return Object.fromEntries(entries);
  }
  return value;
}

/** Text in which keys are in order, null is undefined, and −0 is not 0. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object") return String(value);
  if (value instanceof Uint8Array) return `x${[...value].join(".")}`;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  const entries = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  return `{${entries.map(([key, one]) => `${key}:${textOf(one)}`).join(",")}}`;
}
