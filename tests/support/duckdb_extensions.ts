/**
 * DuckDB's own extensions as PyPI carries them, for machines that don't reach DuckDB's servers. `.ci/run` puts them there;
 * tests that need one are skipped where it is absent.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { join } from "node:path";
import { literal } from "./duckdb.ts";

/** Of the DuckDB that `@duckdb/node-api` is pinned to: an extension is for exactly one. */
const version = "v1.5.5";

const folder = Deno.env.get("SEDIMENT_DUCKDB_EXTENSIONS") ??
  join(Deno.env.get("HOME") ?? "/", ".cache/sediment/duckdb");

export type Extension = "httpfs" | "ducklake" | "postgres_scanner" | "avro" | "iceberg";

/** Whether all of them are on this machine. */
export async function hasExtensions(...names: Extension[]): Promise<boolean> {
  const found = await Promise.all(
    names.map((name) => Deno.stat(path(name)).then(() => true, () => false)),
  );
  return found.every(Boolean);
}

/** Loads them, in this order. */
export async function loadExtensions(
  connection: DuckDBConnection,
  ...names: Extension[]
): Promise<void> {
  for (const name of names) await connection.run(`load ${literal(path(name))}`);
}

function path(name: Extension): string {
  return join(folder, `duckdb_extension_${name}/extensions/${version}/${name}.duckdb_extension`);
}
