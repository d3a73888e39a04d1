/** The tables of a version: what they hold, and the columns that all of their files have together. */
import type { Catalog } from "../catalog/catalog.ts";
import type { TableList } from "../catalog/read_results.ts";
import { type SchemaJson, schemaJson } from "../parquet/format/schema_json.ts";
import type { Tables } from "../protocol/answers.ts";
import type { TablesQuery } from "../protocol/tables.ts";
import { uniteTable } from "./unite_table.ts";

/**
 * Lists the tables of a version.
 *
 * @param userId whose data; null for a service that may read all
 * @throws SedimentError `dataset_forbidden`, `not_found`, `version_gone`, `version_unknown`, `invalid_cursor`
 */
export async function readTables(
  catalog: Pick<Catalog, "listTables">,
  userId: string | null,
  query: TablesQuery,
): Promise<Tables> {
  const page = await catalog.listTables({
    user: userId,
    dataset: query.dataset_id,
    version: query.version ?? null,
    limit: query.limit,
    cursor: query.cursor ?? null,
  });
  const withSchemas = query.schemas === "1" || query.schemas === "true";
  const byTable = Map.groupBy(page.partitions, ({ table }) => table);
  const last = page.partitions.at(-1)?.table;
  return {
    dataset_id: page.dataset_id,
    version: page.version,
    committed_at: page.committed_at,
    tables: [...byTable].map(([table, partitions]) => ({
      ...summary(table, partitions, page.schemas as Record<string, SchemaJson>, withSchemas),
      continues: page.next_cursor !== null && table === last,
    })),
    next_cursor: page.next_cursor,
  };
}

function summary(
  table: string,
  partitions: TableList["partitions"],
  schemas: Record<string, SchemaJson>,
  withSchemas: boolean,
) {
  const sum = (of: (one: TableList["partitions"][number]) => number) =>
    partitions.reduce((total, one) => total + of(one), 0);
  const counts = new Map<string, { fingerprint: string; files: number; rows: number }>();
  for (const { fingerprint, files, rows } of partitions.flatMap((one) => one.schemas)) {
    const one = counts.get(fingerprint) ?? { fingerprint, files: 0, rows: 0 };
    counts.set(fingerprint, {
      fingerprint,
      files: one.files + files,
      rows: one.rows + rows,
    });
  }
  const all = [...counts.values()].map((one) => ({ ...one, schema: schemas[one.fingerprint] }));
  const known = all.filter(({ schema }) => schema !== undefined);
  const unknownFiles = all.filter(({ schema }) => schema === undefined)
    .reduce((total, { files }) => total + files, 0);
  const united = uniteTable(known);
  return {
    table,
    files: sum(({ files }) => files),
    rows: sum(({ rows }) => rows),
    bytes: sum(({ bytes }) => bytes),
    uncompressed_bytes: sum(({ uncompressed_bytes }) => uncompressed_bytes),
    quarantined_files: sum(({ quarantined_files }) => quarantined_files),
    last_uploaded_at: partitions.map((one) => one.last_uploaded_at).sort().at(-1)!,
    periods: partitions.map(({ period_tag, files, rows, bytes }) => ({
      period_tag,
      files,
      rows,
      bytes,
    })),
    columns: united.tree === undefined ? [] : schemaJson(united.tree).children ?? [],
    conflict: united.refusal?.message.slice(0, 2000) ??
      // of before schemas had a digest: `deno task settle:schemas` reads them from the files
      (unknownFiles > 0 ? `the catalog does not know the schemas of ${unknownFiles} files` : null),
    ...(withSchemas && { schemas: known }),
  };
}
