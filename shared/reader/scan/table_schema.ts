import type * as arrow from "apache-arrow";
import { SedimentError } from "../../errors.ts";
import { printable } from "../../parquet/format/parquet_error.ts";
import type { SchemaTree } from "../../parquet/format/schema.ts";
import { uniteTable } from "../../readers/unite_table.ts";
import { arrowSchema } from "../arrow/arrow_field.ts";
import { projectedTree } from "../decode/projected_file.ts";
import type { TableSummary } from "../service/tables.ts";

/** The columns of a table that are read. */
export interface TableSchema {
  tree: SchemaTree;
  schema: arrow.Schema;
}

/**
 * The schema of a table, by the merge's union of its files' schemas.
 *
 * @param names the columns that are wanted; undefined: all
 * @param conflicts what happens where types have no common one: `skip` takes those of the files with the most rows
 * @throws `invalid_request` for a column that no file has, `schema_incompatible`, `unsupported_parquet`
 */
export function tableSchema(
  table: TableSummary,
  names: ReadonlySet<string> | undefined,
  conflicts: "error" | "skip",
): TableSchema {
  checkKnown(table, conflicts);
  checkNames(table, names);
  const { tree, refusal } = uniteTable(
    table.schemas,
    (tree) =>
      names !== undefined && !tree.root.children.some(({ name }) => names.has(name))
        ? undefined
        : projectedTree(tree, names),
  );
  if (refusal !== undefined && (conflicts === "error" || tree === undefined)) {
    throw new SedimentError(refusal.code, `table ${table.table}: ${refusal.message}`, {
      expected: 'columns that have a common type, or unreadable: "skip"',
      extra: refusal.extra,
      cause: refusal,
    });
  }
  if (tree === undefined) {
    throw new SedimentError("not_found", `no schema of table ${table.table} can be read`);
  }
  return { tree, schema: arrowSchema(tree) };
}

/** Columns of files whose schemas nobody knows would be missing without a word. */
function checkKnown(
  { table, files, schemas }: TableSummary,
  conflicts: "error" | "skip",
): void {
  const unknown = files - schemas.reduce((total, one) => total + one.files, 0);
  if (unknown > 0 && conflicts === "error") {
    throw new SedimentError(
      "not_found",
      `table ${table}: the catalog does not know the schemas of ${unknown} files`,
      { expected: '`deno task settle:schemas` in the deployment, or unreadable: "skip"' },
    );
  }
}

/** Of some names those that are columns of the table, in whichever of its files. */
export function knownColumns({ schemas }: TableSummary, names: Iterable<string>): string[] {
  const known = columnNames(schemas);
  return [...names].filter((name) => known.has(name));
}

function columnNames(schemas: TableSummary["schemas"]): Set<string> {
  return new Set(
    schemas.flatMap(({ schema }) => (schema.children ?? []).map(({ name }) => name)),
  );
}

function checkNames({ table, schemas }: TableSummary, names: ReadonlySet<string> | undefined) {
  if (names === undefined) return;
  const known = columnNames(schemas);
  const missing = [...names].find((name) => !known.has(name));
  if (missing === undefined && names.size > 0) return;
  throw new SedimentError(
    "invalid_request",
    missing === undefined
      ? "no column is asked for"
      : `table ${table} has no column ${printable(missing)}`,
    { field: "columns", expected: [...known].slice(0, 50).map(printable).join(", ") },
  );
}
