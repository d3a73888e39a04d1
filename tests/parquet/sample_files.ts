import { openDuckDb } from "./duckdb_rows.ts";

/** Writes the rows of a query as Parquet with DuckDB and gives the bytes. @param options of COPY */
export async function writeWithDuckDb(
  query: string,
  options = "format parquet",
): Promise<Uint8Array<ArrayBuffer>> {
  const path = await Deno.makeTempFile({ suffix: ".parquet" });
  const { connection, close } = await openDuckDb();
  try {
    await connection.run(`copy (${query}) to '${path}' (${options})`);
    return await Deno.readFile(path);
  } finally {
    close();
    await Deno.remove(path);
  }
}

/** The rows of Parquet bytes as DuckDB reads them; several files are read one after the other. */
export async function rowsOfBytes(...files: Uint8Array[]): Promise<Map<string, number>> {
  const { rowsOf } = await import("./duckdb_rows.ts");
  const folder = await Deno.makeTempDir();
  const { connection, close } = await openDuckDb();
  try {
    const all = new Map<string, number>();
    for (const [i, file] of files.entries()) {
      const path = `${folder}/${i}.parquet`;
      await Deno.writeFile(path, file);
      for (const [row, count] of await rowsOf(connection, `from read_parquet('${path}')`)) {
        all.set(row, (all.get(row) ?? 0) + count);
      }
    }
    return all;
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** 25 columns of all the common types, `rows` rows from `from`; bench/fragments.sql in short. */
export function mixedRows(from: number, rows: number): string {
  return `select i::bigint as id, (i % 500)::integer as seq,
    make_timestamp(1735689600000000 + i * 1000003) as ts, date '2025-01-01' + (i // 50)::integer as d,
    case when i % 10 < 3 then null else (hash(i) % 100000)::integer end as i_null,
    (hash(i) >> 2)::bigint as l_high, (hash(i) % 1000003) / 1000003.0::double as f,
    (i % 200003)::float as g, i % 3 = 0 as b, 'C' || (i % 20) as s_low,
    case when i % 7 = 0 then null else 'note ' || hash(i) end as s_note,
    (i * 1.25)::decimal(12, 2) as dec, (i * 7)::decimal(30, 5) as dec_wide, md5(i::varchar)::uuid as u,
    case when i % 11 = 0 then null else list_transform(range(i % 5), x -> (x * i)::integer) end as li,
    case when i % 13 = 0 then null
      else list_transform(range(i % 4), x -> case when x = 1 then null else 'tag' || x end) end as ls,
    case when i % 5 = 0 then null else {'a': i, 'b': case when i % 2 = 0 then null else [{'c': i::varchar}] end} end as st,
    map([i::varchar, 'k'], [1, null]) as m, (i % 256)::utinyint as u8, (hash(i))::ubigint as u64,
    time '00:00:00' + to_seconds(i % 80000) as t, make_timestamp(i * 1000003)::timestamptz as tz
    from range(${from}, ${from + rows}) r(i)`;
}
