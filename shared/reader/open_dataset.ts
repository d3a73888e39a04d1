/**
 * Reads a dataset's tables as Arrow, in browsers, Node and Deno. It stays at one version, reads by ranges what the
 * columns and the filter need, and unites what uploads of different schemas hold.
 *
 * @example
 * ```ts
 * const dataset = await openDataset({ url, key, session, datasetId });
 * for await (const batch of dataset.scan({ table: "battles", columns: ["id", "ts"] })) console.log(batch.numRows);
 * ```
 */
import type * as arrow from "apache-arrow";
import { SedimentError } from "../errors.ts";
import { readerHost } from "./decode/reader_host.ts";
import type { DatasetOptions } from "./reader_options.ts";
import type { ScanOptions } from "./scan/scan_options.ts";
import { defaultLimits, type ScanLimits } from "./scan/limits.ts";
import { Scan } from "./scan/scan.ts";
import { tableSchema } from "./scan/table_schema.ts";
import type { Service } from "./service/ask_service.ts";
import { type DataFile, type FileQuery, manifestPages } from "./service/manifest.ts";
import { fetchTables, type TableSummary } from "./service/tables.ts";

/** Files of a page of the manifest: each has a signature of its own. */
const pageFiles = 100;

/**
 * Opens a dataset at a version: the newest, or the one that is named.
 *
 * @throws SedimentError `not_found`, `dataset_forbidden`, `version_gone`, `version_unknown`, `not_signed_in`,
 * `server_unreachable`, `answer_timeout` and other problems of the service
 */
export async function openDataset(options: DatasetOptions): Promise<Dataset> {
  const service: Service = {
    functionsUrl: (options.functionsUrl ?? `${options.url.replace(/\/+$/, "")}/functions/v1`)
      .replace(/\/+$/, ""),
    key: options.key,
    session: sessionOf(options.session),
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    deadlineMs: options.deadlineMs ?? 30_000,
    pauseMs: options.pauseMs ?? 500,
  };
  const query = { version: options.version };
  const { datasetId, signal } = options;
  for await (const page of manifestPages({ service, datasetId, query, limit: 1, signal })) {
    return new Dataset(service, options, page.version, page.committedAt);
  }
  throw new SedimentError("unexpected_answer", "the manifest has no page");
}

function sessionOf(session: DatasetOptions["session"]): Service["session"] {
  return typeof session === "string"
    ? { credential: () => Promise.resolve({ token: session }) }
    : session;
}

/** A dataset at one version. */
export class Dataset {
  readonly datasetId: string;
  readonly version: number;
  /** When the version was committed, ISO 8601; null before the first commit. */
  readonly committedAt: string | null;
  readonly #service: Service;
  readonly #options: DatasetOptions;
  readonly #limits: ScanLimits;
  /** By version. */
  readonly #tables = new Map<number, Promise<TableSummary[]>>();

  /** Use {@link openDataset}. */
  constructor(
    service: Service,
    options: DatasetOptions,
    version: number,
    committedAt: string | null,
  ) {
    this.#service = service;
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.datasetId = options.datasetId;
    this.version = version;
    this.committedAt = committedAt;
  }

  /** The tables: columns, rows, bytes and periods. Asked for once a version. */
  async tables(version = this.version): Promise<TableSummary[]> {
    let tables = this.#tables.get(version);
    if (tables === undefined) {
      tables = fetchTables(this.#service, this.datasetId, version);
      this.#tables.set(version, tables);
      tables.catch(() => this.#tables.delete(version));
    }
    return await tables;
  }

  /** A table's columns as Arrow has them. Throws `not_found`, `schema_incompatible`. */
  async schema(table: string, version = this.version): Promise<arrow.Schema> {
    return tableSchema(await this.#table(table, version), undefined, "error").schema;
  }

  /** The data files in the order of table, period and upload, with addresses that end. */
  async *files(query: FileQuery & { signal?: AbortSignal } = {}): AsyncGenerator<DataFile> {
    for await (const page of this.#pages(query, query.signal)) yield* page.files;
  }

  /** Reads a table's rows, in the order of {@link files}. Nothing is read before the first batch is asked for. */
  scan(options: ScanOptions): Scan {
    const { deadlineMs, pauseMs, fetch } = this.#service;
    return new Scan({
      table: () => this.#table(options.table, options.version ?? this.version),
      pages: (signal) => this.#pages(options, signal),
      fetching: { fetch, deadlineMs, pauseMs },
      limits: this.#limits,
      host: readerHost(this.#options.codecs),
    }, options);
  }

  /** The same rows as one table in memory. */
  async toTable(options: ScanOptions): Promise<arrow.Table> {
    return await this.scan(options).toTable();
  }

  #pages({ table, period, from, to, version }: FileQuery, signal?: AbortSignal) {
    return manifestPages({
      service: this.#service,
      datasetId: this.datasetId,
      query: { table, period, from, to, version: version ?? this.version },
      limit: pageFiles,
      signal,
    });
  }

  async #table(name: string, version: number): Promise<TableSummary> {
    const tables = await this.tables(version);
    const table = tables.find(({ table }) => table === name);
    if (table !== undefined) return table;
    throw new SedimentError("not_found", `version ${version} has no table ${name}`, {
      field: "table",
      expected: tables.map(({ table }) => table).slice(0, 50).join(", "),
    });
  }
}
