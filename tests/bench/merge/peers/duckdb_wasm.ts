/**
 * One merge by duckdb-wasm, its input files in its memory. Argument: a Job as JSON.
 *
 * Release 1.28.0 (DuckDB 0.9) is the last with Parquet built in. From 1.29.0 to 1.32.0 the extension is fetched from
 * extensions.duckdb.org when it is first needed, no package on npm holds it, and without network the blocking API never
 * comes back (duckdb-wasm, issue 2252).
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Job, listedFiles } from "../job.ts";
import { measured } from "../measure.ts";

const job: Job = JSON.parse(Deno.args[0]);
// in no import map and no lock: 69 MB for one line of a table
const name = "npm:@duckdb/duckdb-wasm@1.28.0/blocking";
const duckdb = await import(name);
const dist = dirname(createRequire(import.meta.resolve(name)).resolve("@duckdb/duckdb-wasm"));
const bundle = {
  mainModule: join(dist, "duckdb-eh.wasm"),
  mainWorker: join(dist, "duckdb-node-eh.worker.cjs"),
};
const { cost } = await measured(async () => {
  const db = await duckdb.createDuckDB(
    { mvp: bundle, eh: bundle },
    new duckdb.VoidLogger(),
    duckdb.NODE_RUNTIME,
  );
  await db.instantiate();
  const names = listedFiles(job.list).map(({ path }) => {
    db.registerFileBuffer(path, Deno.readFileSync(path));
    return `'${path}'`;
  });
  const connection = db.connect();
  connection.query(
    `copy (select * from read_parquet([${names}], union_by_name = true)) to '${job.output}' ` +
      `(format parquet, compression snappy)`,
  );
});
console.log(JSON.stringify(cost));
