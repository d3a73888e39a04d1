/** Of rows with one key, the last of equal ones, and their order: where keys rise already and where they don't. */
import { strict as assert } from "node:assert";
import { writeWithDuckDb } from "../sample_files.ts";
import { openDuckDb } from "../duckdb_rows.ts";
import { mergeBytes } from "./merge_bytes.ts";

/** Keys, row by row, as DuckDB's expressions over the row's number. */
const keys: Record<string, string> = {
  "rising": "(i - (i % 10 = 9)::int)::bigint",
  "rising to the highest numbers": "(9223372036854775807 - 2999 + i - (i % 4 = 3)::int)::bigint",
  "rising to nulls": "case when i < 2900 then (i // 3)::integer end",
  "falling": "(5000 - i // 2)::integer",
  "rising but for the last": "case when i = 2999 then 5 else i::integer end",
  "the two highest of 64 bits": "(18446744073709551615 - (i % 2))::ubigint",
  "few values": "(i * 7919 % 13)::smallint",
  "many values": "(hash(i) % 2000000)::integer - 1000000",
  "as texts": "'k' || (hash(i) % 400)",
  "as doubles": "case when i % 50 = 0 then 'nan'::double else (hash(i) % 500)::double - 250 end",
};

const rows = 3000;
let written = 0;

for (const [name, key] of Object.entries(keys)) {
  Deno.test(`of keys ${name} the last row of each stays, in the order of the keys`, async () => {
    const select = `select ${key} as k, i::integer as n from range(${rows}) r(i)`;
    // the files hold rows in turn as they come
    const files = await Promise.all(
      [0, 1, 2].map((part) =>
        writeWithDuckDb(`select * from (${select}) where n // 1000 = ${part} order by n`)
      ),
    );
    const { connection, close } = await openDuckDb();
    const folder = await Deno.makeTempDir();
    try {
      const read = async (sql: string) =>
        (await connection.runAndReadAll(sql)).getRows().map((row) => row.map(String).join());
      for (const settings of [{}, { parkRows: 64, rowGroupBytes: 2000 }]) {
        const deduped = await mergeBytes(files, rows, { settings }, "snappy", {
          sort: [],
          dedupe: [["k"]],
        });
        const write = async (output: Uint8Array) => {
          // a file of its own for each: DuckDB keeps parts of those that it has read
          const path = `${folder}/out${written++}.parquet`;
          await Deno.writeFile(path, output);
          return path;
        };
        let path = await write(deduped.output);
        const last = `select k, max(n) as n from (${select}) group by k`;
        assert.deepEqual(
          await read(`select k, n from read_parquet('${path}')`),
          await read(`select k, n from (${last}) order by n`),
        );
        const sorted = await mergeBytes(files, rows, { settings }, "snappy", {
          sort: [{ path: ["k"] }],
          dedupe: [["k"]],
        });
        path = await write(sorted.output);
        assert.deepEqual(
          await read(`select k, n from read_parquet('${path}')`),
          await read(`select k, n from (${last}) order by k nulls last`),
        );
        const all = await mergeBytes(files, rows, { settings }, "snappy", {
          sort: [{ path: ["k"], descending: true }],
        });
        path = await write(all.output);
        assert.deepEqual(
          await read(`select k, n from read_parquet('${path}')`),
          await read(`select k, n from (${select}) order by k desc nulls last, n`),
        );
      }
    } finally {
      close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}
