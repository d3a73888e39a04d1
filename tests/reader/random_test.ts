/** The reader beside DuckDB on random tables of several writers, and on files that need a union. */
import { strict as assert } from "node:assert";
import { WasmPool } from "../../shared/parquet/merge/decode/wasm_pool.ts";
import { openDuckDb } from "../parquet/duckdb_rows.ts";
import { type Desk, writers, writeTable } from "../parquet/core/writers.ts";
import { randomTable } from "../parquet/core/random_tables.ts";
import { writeWithDuckDb } from "../parquet/sample_files.ts";
import {
  randomColumns,
  randomQuery,
  type RandomType,
  variantOf,
} from "../parquet/union/random_tables.ts";
import fc from "../support/fast_check.ts";
import { readParquet } from "../support/duckdb.ts";
import { batchRows, duckRows } from "./support/exact_rows.ts";
import { scanBytes } from "./support/scan_bytes.ts";

/** More with `FUZZ_RUNS`. */
const runs = Number(Deno.env.get("FUZZ_RUNS") ?? 40);

const ways = {
  whole: {},
  "in steps": {
    batchRows: 256,
    wholeFileBytes: 0,
    wholeScanBytes: 0,
    tailBytes: 64,
    batchBytes: 1,
  },
  "in windows": { wholeFileBytes: 0, wholeScanBytes: 0, tailBytes: 64, groupBytes: 1 },
};

for (const [way, limits] of Object.entries(ways)) {
  Deno.test(`random tables read ${way} have the rows that DuckDB reads, in their order`, async () => {
    const { connection, close } = await openDuckDb();
    const pool = await WasmPool.open();
    const folder = await Deno.makeTempDir();
    const desk: Desk = { connection, pool, folder, files: 0, written: new Map() };
    try {
      await fc.assert(
        fc.asyncProperty(randomTable, writers, async (table, writer) => {
          const paths = await writeTable(desk, table, writer);
          const { batches, report } = await scanBytes(
            paths.map((path) => Deno.readFileSync(path)),
            {
              limits,
            },
          );
          const theirs = await duckRows(
            connection,
            `from read_parquet([${paths.map((path) => `'${path}'`).join(", ")}])`,
          );
          assert.deepEqual(batchRows(batches).map(alike), theirs.map(alike));
          assert.equal(report.rowsRead, theirs.length);
        }),
        { numRuns: runs },
      );
    } finally {
      close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** DuckDB reads timestamps with a ConvertedType alone as local, and has none in ns that are in UTC. */
const alike = (row: string) => row.replaceAll(/\b(UTC|local) (-?\d)/g, "$2");

Deno.test("random tables of which one lacks, widens or reorders columns unite as DuckDB unites them", async () => {
  const tables = randomColumns.chain((table) =>
    fc.tuple(variantOf(table), variantOf(table), variantOf(table)).chain((variants) =>
      fc.tuple(...variants.map((one) => randomQuery(one as RandomType & { kind: "struct" })))
    )
  );
  const { connection, close } = await openDuckDb();
  const folder = await Deno.makeTempDir();
  let written = 0;
  try {
    await fc.assert(
      fc.asyncProperty(tables, fc.boolean(), async (queries, inSteps) => {
        const files = await Promise.all(queries.map((query) => writeWithDuckDb(query)));
        // DuckDB remembers footers by path and time: no name is used twice
        const paths = files.map((file) => {
          const path = `${folder}/${written++}.parquet`;
          Deno.writeFileSync(path, file);
          return path;
        });
        const limits = inSteps ? ways["in steps"] : {};
        const { batches, schema } = await scanBytes(files, { limits });
        const columns = schema.fields.map(({ name }) => `"${name}"`).join(", ");
        const theirs = await duckRows(connection, `select ${columns} from ${readParquet(paths)}`);
        assert.deepEqual(batchRows(batches).map(sortedStructs), theirs.map(sortedStructs));
      }),
      { numRuns: runs },
    );
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
});

/** The fields of structs in the order of their names: a union's order is that in which they are first met. */
function sortedStructs(row: string): string {
  let at = 0;
  const parse = (end: string): string[] => {
    const parts: string[] = [];
    let part = "";
    while (at < row.length && row[at] !== end) {
      const c = row[at++];
      if (c === '"') {
        const close = /"(?:[^"\\]|\\.)*"/y;
        close.lastIndex = at - 1;
        part += close.exec(row)![0];
        at = close.lastIndex;
      } else if (c === "{") {
        const inner = parse("}");
        at++;
        part += `{${inner.sort().join(",")}}`;
      } else if (c === "[" || c === "(") {
        const inner = parse(c === "[" ? "]" : ")");
        at++;
        part += `${c}${inner.join(",")}${c === "[" ? "]" : ")"}`;
      } else if (c === ",") {
        parts.push(part);
        part = "";
      } else part += c;
    }
    parts.push(part);
    return parts;
  };
  return parse("").join(",");
}
