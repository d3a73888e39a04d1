/**
 * Fragments as the field sends them: small Parquet files of a few tables, made by DuckDB from the
 * deterministic 25-column table of `fragments.sql`.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { literal, openDuckdb } from "./duckdb.ts";

/** One file on disk, ready to be sent. */
export interface Fragment {
  table: string;
  periodTag: string;
  path: string;
  rowCount: number;
}

/** The three tables of the demo: the wide one, one of scalars and strings, one with lists. */
const tables: Record<string, string> = {
  battles: "*",
  quests: "id, seq, ts, d, i_low, i_null, l_mid, f_price, b_flag, s_low, s_note",
  items: "id, ts, i_mid, l_null, g_low, s_mid, s_uuid, li, ls",
};

const query = await Deno.readTextFile(fileURLToPath(new URL("./fragments.sql", import.meta.url)));

/** `fragments.sql` for rows `from` (inclusive) to `to` (exclusive). */
export function fragmentQuery(from: number, to: number): string {
  return query.replaceAll(":from", String(from)).replaceAll(":to", String(to));
}

/**
 * Writes `count` fragments, table by table in turn, each with rows that no other fragment holds.
 *
 * @param folder where the files go
 * @param rowsEach rows a fragment
 */
export async function makeFragments(
  folder: string,
  count: number,
  rowsEach: number,
  onMade: (fragment: Fragment) => void = () => {},
  connection?: DuckDBConnection,
): Promise<Fragment[]> {
  const duckdb = connection ?? await openDuckdb();
  const names = Object.keys(tables);
  const made: Fragment[] = [];
  for (let n = 0; n < count; n++) {
    const table = names[n % names.length];
    const path = join(folder, `${table}-${n}.parquet`);
    const from = n * rowsEach;
    await duckdb.run(
      `copy (select ${tables[table]} from (${fragmentQuery(from, from + rowsEach)}))
         to ${literal(path)} (format parquet, compression snappy)`,
    );
    const fragment = { table, periodTag: "2024-11-25", path, rowCount: rowsEach };
    made.push(fragment);
    onMade(fragment);
  }
  if (!connection) duckdb.closeSync();
  return made;
}
