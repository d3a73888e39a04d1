/** The manifest page by page, and its addresses again when they have run out. */
import { SedimentError } from "../../errors.ts";
import type { ListedStatistics } from "../where/bounds.ts";
import { ask, type Service } from "./ask_service.ts";

/** A data file as `GET /battle-data/chunks` lists it; names are the manifest's. */
export interface DataFile {
  id: number;
  table: string;
  period_tag: string;
  /** Bytes. */
  size: number;
  level: number;
  state: "active" | "quarantined";
  quarantine_code: string | null;
  quarantine_reason: string | null;
  row_count: number;
  row_group_count: number;
  uncompressed_bytes: number;
  schema_fingerprint: string;
  stats: ListedStatistics | null;
  etag: string | null;
  seq_min: number;
  seq_max: number;
  /** ISO 8601. */
  uploaded_at: string;
  added_version: number;
  /** Where its bytes are until `url_expires_at`; missing where there is an error. */
  url?: string;
  url_expires_at?: string;
  /** Why it can't be read, where the service knows that it can't. */
  error?: { code: string; message: string };
}

/** Which files are listed. */
export interface FileQuery {
  table?: string;
  /** One period_tag. */
  period?: string;
  /** First and last period_tag, both included. */
  from?: string;
  to?: string;
  /** A kept version. */
  version?: number;
}

/** What is asked for; the same for every page. */
interface ListQuery {
  service: Service;
  datasetId: string;
  query: FileQuery;
  limit: number;
  signal?: AbortSignal;
}

/** A page of the manifest. */
export interface ManifestPage {
  version: number;
  committedAt: string | null;
  files: DataFile[];
  /** When it was fetched, in milliseconds of `performance.now()`. */
  fetchedAt: number;
  /** Asks for the same page again, once for all who ask at a time: its files, with fresh addresses. */
  renew(): Promise<ManifestPage>;
  nextCursor: string | null;
}

/** All pages, of one version. Throws as {@link ask} does. */
export async function* manifestPages(list: ListQuery): AsyncGenerator<ManifestPage> {
  let cursor: string | undefined;
  do {
    const page = await fetchPage(list, cursor);
    yield page;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

async function fetchPage(list: ListQuery, cursor: string | undefined): Promise<ManifestPage> {
  const { query, datasetId } = list;
  const answer = await ask(list.service, "battle-data/chunks", {
    dataset_id: datasetId,
    table: query.table,
    period_tag: query.period,
    from: query.from,
    to: query.to,
    version: query.version,
    limit: list.limit,
    cursor,
    signed: "1",
  }, list.signal) as {
    version?: unknown;
    committed_at?: string | null;
    files?: DataFile[];
    next_cursor?: string | null;
  };
  const { version, files } = Object(answer) as Partial<typeof answer>;
  if (typeof version !== "number" || !Array.isArray(files) || !files.every(isFile)) {
    throw new SedimentError("unexpected_answer", "battle-data/chunks gave no manifest");
  }
  // the pages that follow, and this one when it is asked for again, are of this version
  const pinned = { ...list, query: { ...query, version } };
  let renewal: Promise<ManifestPage> | undefined;
  return {
    version,
    committedAt: answer.committed_at ?? null,
    files,
    fetchedAt: performance.now(),
    renew() {
      renewal ??= fetchPage(pinned, cursor).finally(() => renewal = undefined);
      return renewal;
    },
    nextCursor: answer.next_cursor ?? null,
  };
}

function isFile(file: unknown): file is DataFile {
  const { id, size, row_count, table, period_tag, stats } = Object(file) as Partial<DataFile>;
  return [id, size, row_count].every(Number.isSafeInteger) && size! > 0 &&
    [table, period_tag].every((name) => typeof name === "string") &&
    (stats == null || Object.values(stats).every((bounds) => bounds));
}
