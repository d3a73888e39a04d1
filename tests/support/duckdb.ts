/**
 * DuckDB as the independent reader: of files on disk, of signed URLs, and of two sets of files that must
 * hold the same rows.
 */
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { join } from "node:path";

/** A fresh in-memory DuckDB with one connection; `threads` as given, DuckDB's default otherwise. */
export async function openDuckdb(threads?: number): Promise<DuckDBConnection> {
  const options: Record<string, string> = threads ? { threads: String(threads) } : {};
  const instance = await DuckDBInstance.create(":memory:", options);
  return await instance.connect();
}

/** The rows of a query as objects. */
export async function rows(
  connection: DuckDBConnection,
  sql: string,
): Promise<Record<string, unknown>[]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRowObjects() as Record<string, unknown>[];
}

/** The first value of the first row, as a number. */
export async function scalar(connection: DuckDBConnection, sql: string): Promise<number> {
  const [row] = await rows(connection, sql);
  return Number(Object.values(row)[0]);
}

/** A SQL string literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** `read_parquet([...], union_by_name = true)` over paths or URLs. */
export function readParquet(pathsOrUrls: string[]): string {
  return `read_parquet([${pathsOrUrls.map(literal).join(", ")}], union_by_name = true)`;
}

/**
 * Makes signed URLs readable by this DuckDB. With the httpfs extension (DuckDB downloads it on first use)
 * the URLs are read as they are; where it cannot be had, they are fetched into `folder` and read from there.
 *
 * @returns what to give to {@link readParquet}, and which of the two ways it was
 */
export async function openUrls(
  connection: DuckDBConnection,
  urls: string[],
  folder: string,
): Promise<{ paths: string[]; over: "httpfs" | "fetch" }> {
  if (await loadHttpfs(connection)) return { paths: urls, over: "httpfs" };
  const paths: string[] = [];
  for (let at = 0; at < urls.length; at += 16) {
    const batch = urls.slice(at, at + 16).map(async (url, offset) => {
      const response = await fetch(url);
      if (!response.ok) {
        throw new Error(`GET ${url} gave ${response.status}: ${await response.text()}`);
      }
      const path = join(folder, `${at + offset}.parquet`);
      await Deno.writeFile(path, new Uint8Array(await response.arrayBuffer()));
      return path;
    });
    paths.push(...await Promise.all(batch));
  }
  return { paths, over: "fetch" };
}

let httpfsFails = false;

async function loadHttpfs(connection: DuckDBConnection): Promise<boolean> {
  if (httpfsFails) return false;
  try {
    await connection.run("INSTALL httpfs; LOAD httpfs");
    return true;
  } catch {
    httpfsFails = true;
    return false;
  }
}

/**
 * Compares two relations as multisets of rows. Every row is compared as its printed form, so that −0 and
 * +0, NaN and NULL stay apart (DuckDB's own `=` and hash equate the zeros).
 *
 * @returns how many rows stand only left and only right, each counted with its multiplicity
 */
export async function multisetDifference(
  connection: DuckDBConnection,
  left: string,
  right: string,
): Promise<{ onlyLeft: number; onlyRight: number }> {
  const columns = (await rows(connection, `describe select * from ${left}`))
    .map((row) => String(row.column_name)).sort();
  const others = (await rows(connection, `describe select * from ${right}`))
    .map((row) => String(row.column_name)).sort();
  if (columns.join("\u0000") !== others.join("\u0000")) {
    throw new Error(`columns differ: ${columns.join(", ")} and ${others.join(", ")}`);
  }
  const list = columns.map((name) => `"${name.replaceAll('"', '""')}"`).join(", ");
  const printed = (from: string) =>
    `select r, count(*) as n from (select struct_pack(${
      columns.map((name, index) => `c${index} := "${name.replaceAll('"', '""')}"`).join(", ")
    })::varchar as r from (select ${list} from ${from})) group by r`;
  const [row] = await rows(
    connection,
    `select coalesce(sum(greatest(coalesce(a.n, 0) - coalesce(b.n, 0), 0)), 0)::bigint as l,
            coalesce(sum(greatest(coalesce(b.n, 0) - coalesce(a.n, 0), 0)), 0)::bigint as r
       from (${printed(left)}) a full join (${printed(right)}) b on a.r = b.r`,
  );
  return { onlyLeft: Number(row.l), onlyRight: Number(row.r) };
}
