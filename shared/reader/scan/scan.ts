import * as arrow from "apache-arrow";
import { SedimentError } from "../../errors.ts";
import { usualSpelling } from "../../readers/usual_spelling.ts";
import { schemaFromJson } from "../../parquet/merge/union/schema_from_json.ts";
import type { KernelHost } from "../../parquet/kernels/kernels.ts";
import type { SchemaTree } from "../../parquet/format/schema.ts";
import { selectRows } from "../arrow/select_rows.ts";
import { PageUrls, type SignedFetch, signedReader, unreadable } from "../service/signed_reader.ts";
import type { ScanOptions } from "./scan_options.ts";
import type { DataFile, ManifestPage } from "../service/manifest.ts";
import type { TableSummary } from "../service/tables.ts";
import { fileBounds } from "../where/bounds.ts";
import { evaluate } from "../where/evaluate.ts";
import { checkWhere, type Filter, whereColumns } from "../where/filter.ts";
import { isTrue } from "../where/outcome.ts";
import { mayMatch } from "../where/prune.ts";
import type { ScanLimits } from "./limits.ts";
import type { SourceFile } from "./open_file.ts";
import { type Failure, scanFiles } from "./scan_files.ts";
import { emptyReport, type ScanReport } from "./scan_report.ts";
import { knownColumns, type TableSchema, tableSchema } from "./table_schema.ts";

/** What a scan asks of its dataset. */
export interface ScanParts {
  /** The table; throws `not_found`. */
  table(signal: AbortSignal): Promise<TableSummary>;
  pages(signal: AbortSignal): AsyncIterable<ManifestPage>;
  fetching: Omit<SignedFetch, "count">;
  limits: ScanLimits;
  host: KernelHost;
}

interface ListedSource extends SourceFile {
  listed: DataFile;
}

/**
 * A scan of a table: an iterable of record batches that can be gone through once, and the report of what was done.
 * Breaking off the loop ends all requests.
 */
export class Scan implements AsyncIterable<arrow.RecordBatch> {
  /** What was done so far; its numbers rise as batches are taken. */
  readonly report: ScanReport = emptyReport();
  readonly #parts: ScanParts;
  readonly #options: ScanOptions;
  readonly #stop = new AbortController();
  #begun = false;
  #schemas: Promise<Schemas> | undefined;

  constructor(parts: ScanParts, options: ScanOptions) {
    this.#parts = parts;
    this.#options = options;
    const { signal } = options;
    if (signal?.aborted) this.#stop.abort(signal.reason);
    else signal?.addEventListener("abort", () => this.#stop.abort(signal.reason), { once: true });
  }

  /** The schema of the batches. Throws `not_found`, `schema_incompatible`, `invalid_request`, and as a request does. */
  async schema(): Promise<arrow.Schema> {
    return (await this.#resolve()).given.schema;
  }

  /** All rows as one table in memory. */
  async toTable(): Promise<arrow.Table> {
    const batches: arrow.RecordBatch[] = [];
    for await (const batch of this) batches.push(batch);
    const schema = await this.schema();
    return batches.length === 0 ? new arrow.Table(schema) : new arrow.Table(schema, batches);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<arrow.RecordBatch> {
    if (this.#begun) throw new SedimentError("invalid_request", "a scan is gone through once");
    this.#begun = true;
    const { report } = this;
    const schemas = await this.#resolve();
    const { filter, decoded, given } = schemas;
    const { limits, host } = this.#parts;
    const names = schemas.names;
    const scan = { ...decoded, names, filter, limits, host, report, stop: this.#stop };
    const kept = given.schema.fields.map(({ name }) =>
      decoded.schema.fields.findIndex((field) => field.name === name)
    );
    const whole = kept.length === decoded.schema.fields.length;
    for await (
      const batch of scanFiles(this.#sources(schemas), scan, (failure) => this.#failed(failure))
    ) {
      const rows = filter === undefined ? batch : matching(batch, filter);
      if (rows.numRows === 0) continue;
      report.rowsGiven += rows.numRows;
      yield whole ? rows : rows.selectAt(kept);
    }
  }

  #resolve(): Promise<Schemas> {
    this.#schemas ??= this.#parts.table(this.#stop.signal).then((table) =>
      resolveSchemas(table, this.#options)
    );
    return this.#schemas;
  }

  /** The files that may hold rows that are wanted. */
  async *#sources(schemas: Schemas): AsyncGenerator<ListedSource> {
    const { report } = this;
    const fetching: SignedFetch = {
      ...this.#parts.fetching,
      count: (requests, bytes) => {
        report.requests += requests;
        report.bytesRead += bytes;
      },
    };
    for await (const page of this.#parts.pages(this.#stop.signal)) {
      const urls = new PageUrls(page);
      for (const listed of page.files) {
        report.files++;
        if (listed.row_count === 0 && listed.error === undefined) continue;
        if (!schemas.mayHold(listed)) {
          report.filesPruned++;
          continue;
        }
        const name = `file ${listed.id} of ${listed.table}/${listed.period_tag}`;
        if (listed.url === undefined || listed.error !== undefined) {
          const reader = { size: listed.size, read: () => Promise.reject(unreadable(listed)) };
          yield { name, listed, reader };
          continue;
        }
        const columns = schemas.columns.get(listed.schema_fingerprint);
        yield { name, listed, columns, reader: signedReader(listed, urls, fetching) };
      }
    }
  }

  #failed({ file, error, rowsGiven }: Failure<ListedSource>): void {
    if (this.#options.unreadable !== "skip" || !isOfTheFile(error)) throw error;
    this.report.leftOut.push({
      file: file.listed.id,
      code: error.code,
      message: error.message,
      rows: file.listed.row_count,
      rowsGiven,
    });
  }
}

/** Whether trying again would not help: the file itself is lost or broken. */
function isOfTheFile({ code }: SedimentError): boolean {
  return [
    "object_missing",
    "object_changed",
    "not_parquet",
    "invalid_parquet",
    "unsupported_parquet",
    "page_too_large",
    "schema_incompatible",
  ].includes(code);
}

interface Schemas {
  /** What is decoded: the columns that are given and those that the filter looks at. */
  decoded: TableSchema;
  given: TableSchema;
  /** Names of what is decoded; undefined: all. */
  names: ReadonlySet<string> | undefined;
  filter: Filter | undefined;
  /** By fingerprint, the columns of each schema that is known. */
  columns: ReadonlyMap<string, readonly string[]>;
  /** Whether a file may hold a row that meets the filter. */
  mayHold(file: DataFile): boolean;
}

function resolveSchemas(table: TableSummary, options: ScanOptions): Schemas {
  const conflicts = options.unreadable ?? "error";
  const wanted = options.columns && new Set(options.columns);
  const given = tableSchema(table, wanted, conflicts);
  const columns = new Map(
    table.schemas.map((
      { fingerprint, schema },
    ) => [fingerprint, (schema.children ?? []).map(({ name }) => name)]),
  );
  const { where } = options;
  if (where === undefined) {
    return {
      decoded: given,
      given,
      names: wanted,
      columns,
      filter: undefined,
      mayHold: () => true,
    };
  }
  const names = wanted && new Set([...wanted, ...knownColumns(table, whereColumns(where))]);
  const decoded = names === undefined || names.size === wanted!.size
    ? given
    : tableSchema(table, names, conflicts);
  const filter = checkWhere(where, decoded.tree);
  const trees = new Map<string, SchemaTree>(
    table.schemas.map((
      { fingerprint, schema },
    ) => [fingerprint, usualSpelling(schemaFromJson(schema))]),
  );
  return {
    decoded,
    given,
    names,
    filter,
    columns,
    mayHold(file) {
      const tree = trees.get(file.schema_fingerprint);
      if (tree === undefined || file.error !== undefined) return true;
      return mayMatch(filter, fileBounds(file.stats, file.row_count, tree, decoded.tree));
    },
  };
}

function matching(batch: arrow.RecordBatch, filter: Filter): arrow.RecordBatch {
  const outcomes = evaluate(filter, batch);
  const rows = new Int32Array(outcomes.length);
  let count = 0;
  for (let i = 0; i < outcomes.length; i++) if (outcomes[i] === isTrue) rows[count++] = i;
  return count === outcomes.length ? batch : selectRows(batch, rows.subarray(0, count));
}
