/** Rows as DuckDB reads them, as figures that two files can be compared by. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { literal } from "../../support/duckdb.ts";

/** A session may have any zone: what a time with a zone shows, and its day, depend on it. */
export const zones = ["UTC", "Asia/Tokyo", "America/Los_Angeles"];

/** Columns of a relation with DuckDB's types, in order of name. */
export async function columnsOf(
  connection: DuckDBConnection,
  from: string,
): Promise<{ name: string; type: string }[]> {
  const reader = await connection.runAndReadAll(`describe ${from}`);
  return reader.getRowObjects()
    .map((row) => ({ name: String(row.column_name), type: String(row.column_type) }))
    .sort((a, b) => a.name < b.name ? -1 : 1);
}

/** A name as SQL has it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `from read_parquet(…)` of files, united by name. */
export function fromFiles(...paths: string[]): string {
  return `from read_parquet([${paths.map(literal).join(", ")}], union_by_name = true)`;
}

/**
 * Rows as a multiset in one number each: by their texts, which differ whenever a value does (−0 is not 0 there), with
 * the day of each time.
 * @param distinct counts each row once
 * @param columns of the same names and order on both sides; cast where a type is given
 */
export async function digest(
  connection: DuckDBConnection,
  from: string,
  columns: { name: string; type: string }[],
  distinct = false,
): Promise<string> {
  const values = columns.flatMap(({ name, type }) => {
    const value = quoted(name);
    const text = `${value}::varchar`;
    return /^TIMESTAMP/.test(type) ? [text, `(${value})::date::varchar`] : [text];
  });
  const row = `to_json([${values.join(", ")}])::varchar`;
  const reader = await connection.runAndReadAll(
    `select count(*)::varchar || ' ' || coalesce(sum(hash(r)::hugeint), 0)::varchar || ' ' ||
      coalesce(sum(hash(r || 'z')::hugeint), 0)::varchar from (select ${
      distinct ? "distinct" : ""
    } ${row} as r ${from})`,
  );
  return String(reader.getRows()[0][0]);
}
