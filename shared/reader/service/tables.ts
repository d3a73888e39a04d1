/** The tables of a version, their pages added up. */
import { SedimentError } from "../../errors.ts";
import type { SchemaJson } from "../../parquet/format/schema_json.ts";
import { schemaJson } from "../../parquet/format/schema_json.ts";
import { type FilesSchema, uniteTable } from "../../readers/unite_table.ts";
import { ask, type Service } from "./ask_service.ts";

/** What a period of a table holds. */
export interface TablePeriod {
  period_tag: string;
  files: number;
  rows: number;
  bytes: number;
}

/** A table as `GET /battle-data/tables` has it; names are the service's. */
export interface TableSummary {
  table: string;
  files: number;
  rows: number;
  /** Of the files, compressed. */
  bytes: number;
  uncompressed_bytes: number;
  /** Of the files, those in quarantine: rows of them may not be readable. */
  quarantined_files: number;
  /** ISO 8601. */
  last_uploaded_at: string;
  /** In order. */
  periods: TablePeriod[];
  /** The columns of all files together; where their types have no common one, of those with the most rows. */
  columns: SchemaJson[];
  /** Why some files' columns are not among `columns`; null: all are. */
  conflict: string | null;
  /** Of the files, in upload order. */
  schemas: (FilesSchema & { files: number })[];
}

interface Page {
  version: number;
  tables: (TableSummary & { continues: boolean })[];
  next_cursor: string | null;
}

/** All tables of a version. Throws as {@link ask} does. */
export async function fetchTables(
  service: Service,
  datasetId: string,
  version: number,
  signal?: AbortSignal,
): Promise<TableSummary[]> {
  const tables = new Map<string, TableSummary>();
  const inParts = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await ask(service, "battle-data/tables", {
      dataset_id: datasetId,
      version,
      cursor,
      schemas: "1",
    }, signal) as Page;
    if (!Array.isArray(page?.tables) || !page.tables.every(isTable) || page.version !== version) {
      throw new SedimentError("unexpected_answer", "battle-data/tables gave no tables");
    }
    for (const { continues: _, ...table } of page.tables) {
      const known = tables.get(table.table);
      if (known === undefined) tables.set(table.table, table);
      else {
        inParts.add(table.table);
        add(known, table);
      }
    }
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  for (const name of inParts) {
    const table = tables.get(name)!;
    const { tree, refusal } = uniteTable(table.schemas);
    table.columns = tree === undefined ? [] : schemaJson(tree).children ?? [];
    table.conflict = refusal?.message ?? null;
  }
  return [...tables.values()];
}

/** Schemas are looked at where they are united: one that can't be read has no place there. */
function isTable(value: unknown): boolean {
  const { table, files, rows, bytes, periods, columns, schemas } = Object(
    value,
  ) as Page["tables"][0];
  return typeof table === "string" && [files, rows, bytes].every(Number.isSafeInteger) &&
    [periods, columns, schemas].every((list) => Array.isArray(list) && list.every(isObject)) &&
    periods.every(({ period_tag }) => typeof period_tag === "string");
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** Adds what a later page says of a table. */
function add(known: TableSummary, more: TableSummary): void {
  known.files += more.files;
  known.rows += more.rows;
  known.bytes += more.bytes;
  known.uncompressed_bytes += more.uncompressed_bytes;
  known.quarantined_files += more.quarantined_files;
  if (more.last_uploaded_at > known.last_uploaded_at) {
    known.last_uploaded_at = more.last_uploaded_at;
  }
  for (const period of more.periods) {
    const last = known.periods.at(-1)!;
    if (last.period_tag !== period.period_tag) known.periods.push(period);
    else {
      last.files += period.files;
      last.rows += period.rows;
      last.bytes += period.bytes;
    }
  }
  for (const schema of more.schemas) {
    const same = known.schemas.find(({ fingerprint }) => fingerprint === schema.fingerprint);
    if (same === undefined) known.schemas.push(schema);
    else {
      same.files += schema.files;
      same.rows += schema.rows;
    }
  }
}
