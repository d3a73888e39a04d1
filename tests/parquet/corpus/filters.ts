/** Filtered queries over a file, which may leave out pages by its statistics, beside the same over its rows as a table. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { literal } from "../../support/duckdb.ts";
import { columnsOf, quoted } from "./truth.ts";

/** Types whose values are compared; DuckDB's Bloom filters of BLOBs miss what isn't ASCII, in its own files too. */
const comparable =
  /^(U?(TINY|SMALL|BIG)INT|U?INTEGER|HUGEINT|FLOAT|DOUBLE|DECIMAL\(.*\)|VARCHAR|DATE|TIME.*|BOOLEAN|UUID)$/;

/** Most columns that are asked for, of wide files. */
const mostColumns = 12;

/** What was found by filters. */
export interface Filtered {
  queries: number;
  /** The first query whose answer differs from the unfiltered truth. */
  different?: string;
}

/**
 * Asks for values of each column by comparisons.
 * @param inputs a `from` over what was merged: an answer that is as wrong there is the reader's own
 */
export async function checkFilters(
  connection: DuckDBConnection,
  path: string,
  inputs: string,
): Promise<Filtered> {
  const from = `from read_parquet(${literal(path)})`;
  await connection.run(`create or replace temp table plain as ${from}`);
  let queries = 0;
  for (const { name, type } of (await columnsOf(connection, from)).slice(0, mostColumns)) {
    if (!comparable.test(type)) continue;
    const column = quoted(name);
    const values = await connection.runAndReadAll(
      `select distinct v::varchar from (select unnest([max(${column}), arg_min(${column}, hash(${column}))]) as v
        from plain) where v is not null`,
    );
    const filters = [`${column} is null`];
    for (const [value] of values.getRows()) {
      const operand = `${literal(String(value))}::${type}`;
      for (const operator of ["=", "<", ">="]) {
        filters.push(`${column} ${operator} ${operand}`);
      }
    }
    for (const filter of filters) {
      queries++;
      const count = async (source: string) =>
        String(
          (await connection.runAndReadAll(`select count(*) ${source} where ${filter}`))
            .getRows()[0][0],
        );
      const [found, truth] = [await count(from), await count("from plain")];
      if (found === truth || found === await count(inputs)) continue;
      return { queries, different: `${filter}: ${found} of ${truth} rows` };
    }
  }
  return { queries };
}
