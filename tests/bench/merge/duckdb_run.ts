/** One statement by DuckDB with one thread in a process of its own; prints its cost as JSON. */
import { openDuckdb } from "../../support/duckdb.ts";
import { measured } from "./measure.ts";

const connection = await openDuckdb(1);
await connection.run("select 1");
const { cost } = await measured(() => connection.run(Deno.args[0]));
console.log(JSON.stringify(cost));
