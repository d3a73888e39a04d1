/** DuckDB as it is found on this machine: its command line, or its npm package. */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { SedimentError } from "../../../errors.ts";
import { table, type Terminal } from "../terminal.ts";

/** What is used of @duckdb/node-api, which need not be installed. */
interface NodeApi {
  DuckDBInstance: {
    create(path: string): Promise<{
      connect(): Promise<{
        run(sql: string): Promise<unknown>;
        runAndReadAll(sql: string): Promise<{
          columnNames(): string[];
          getRowObjectsJson(): Record<string, unknown>[];
        }>;
        closeSync(): void;
      }>;
    }>;
  };
}

/**
 * Runs a script of views, then a query whose rows are printed.
 *
 * @returns the exit code
 * @throws `part_missing` where there is no DuckDB
 */
export async function runDuckdb(
  script: string,
  query: string,
  json: boolean,
  terminal: Terminal,
): Promise<number> {
  const code = await byCommandLine(script, query, json);
  if (code !== null) return code;
  const api = await nodeApi();
  if (!api) {
    throw new SedimentError("part_missing", "there is no DuckDB on this machine", {
      expected: "`duckdb` on the PATH (https://duckdb.org/install), or npm's @duckdb/node-api",
    });
  }
  const instance = await api.DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await connection.run(await readFile(script, "utf8"));
    const reader = await connection.runAndReadAll(query);
    const rows = reader.getRowObjectsJson();
    if (json) { for (const row of rows) terminal.out(JSON.stringify(row)); }
    else {
      const head = reader.columnNames();
      const cells = rows.map((row) => head.map((name) => textOf(row[name])));
      for (const line of table(head, cells)) terminal.out(line);
    }
    return 0;
  } catch (cause) {
    throw new SedimentError("invalid_request", (cause as Error).message, { cause });
  } finally {
    connection.closeSync();
  }
}

/** @returns null where there is no such command */
function byCommandLine(script: string, query: string, json: boolean): Promise<number | null> {
  const command = process.env.DUCKDB || "duckdb";
  const args = ["-init", script, ...(json ? ["-jsonlines"] : []), "-c", query];
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", (error) => {
      if ((error as { code?: string }).code === "ENOENT") resolve(null);
      else reject(error);
    });
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

async function nodeApi(): Promise<NodeApi | null> {
  // By a name that no bundler follows: it is the user's, or it isn't there.
  const name = ["@duckdb", "node-api"].join("/");
  return await import(name).then((api) => api as NodeApi, () => null);
}

function textOf(value: unknown): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
