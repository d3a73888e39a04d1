/** The README's sample files: four uploads of one table and period, 50 rows each, as an app might send them. */
import { parquetWriteBuffer } from "hyparquet-writer";

/** How many files there are. */
export const sampleCount = 4;

/** Where file number `n` (1 for the first) is. */
export function samplePath(n: number): URL {
  return new URL(`battles-${n}.parquet`, import.meta.url);
}

const maps = ["1-1", "1-5", "2-4", "3-2"], ranks = ["S", "A", "B"];

/** The bytes of file number `n`, the same at every call. */
export function sampleFile(n: number): Uint8Array {
  const ids = Array.from({ length: 50 }, (_, row) => (n - 1) * 50 + row + 1);
  const start = Date.UTC(2024, 10, 25, 8);
  return new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "battle_id", data: ids, type: "INT32" },
      { name: "at", data: ids.map((id) => new Date(start + id * 90_000)), type: "TIMESTAMP" },
      { name: "map", data: ids.map((id) => maps[id * 7 % 4]!), type: "STRING" },
      { name: "rank", data: ids.map((id) => ranks[id * 5 % 3]!), type: "STRING" },
      { name: "damage", data: ids.map((id) => id * 37 % 400), type: "INT32" },
    ],
  }));
}

if (import.meta.main) {
  for (let n = 1; n <= sampleCount; n++) await Deno.writeFile(samplePath(n), sampleFile(n));
}
