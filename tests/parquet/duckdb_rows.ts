import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

/** A connection to an empty DuckDB in memory with one thread; close it with the function given. */
export async function openDuckDb(): Promise<{ connection: DuckDBConnection; close(): void }> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
  const connection = await instance.connect();
  return {
    connection,
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** The rows of a query as a multiset: canonical text of a row → how often it is there. */
export async function rowsOf(
  connection: DuckDBConnection,
  sql: string,
): Promise<Map<string, number>> {
  const reader = await connection.runAndReadAll(sql);
  const rows = new Map<string, number>();
  for (const row of reader.getRows()) {
    const text = row.map(canonical).join(",");
    rows.set(text, (rows.get(text) ?? 0) + 1);
  }
  return rows;
}

/** Text that differs whenever values differ in bits: −0 is not 0, and NaN is NaN. */
export function canonical(value: unknown): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || value === undefined || typeof value !== "object") return String(value);
  if (value instanceof Uint8Array) return `x${[...value].join(".")}`;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  return `{${Object.entries(value).map(([k, v]) => `${k}:${canonical(v)}`).join(",")}}`;
}

/** Twice the rows: what a file merged with itself holds. */
export function doubled(rows: Map<string, number>): Map<string, number> {
  return new Map([...rows].map(([row, count]) => [row, 2 * count]));
}
