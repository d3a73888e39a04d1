import { parquetReadObjects } from "hyparquet";
import { gunzipSync } from "node:zlib";
import { canonical } from "./duckdb_rows.ts";

/** A file's rows by hyparquet, each as a text that differs whenever a value does, with how often it is there. */
export async function hyparquetRows(bytes: Uint8Array<ArrayBuffer>): Promise<Map<string, number>> {
  const rows = new Map<string, number>();
  const compressors = { GZIP: (input: Uint8Array) => new Uint8Array(gunzipSync(input)) };
  for (const row of await parquetReadObjects({ file: bytes.buffer, compressors })) {
    const text = canonical(row);
    rows.set(text, (rows.get(text) ?? 0) + 1);
  }
  return rows;
}
