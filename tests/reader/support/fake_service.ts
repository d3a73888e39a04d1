/** The service's two reading routes and a store, as a `fetch` that can be told to fail. */
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { uniteTable } from "../../../shared/readers/unite_table.ts";
import { schemaJson } from "../../../shared/parquet/format/schema_json.ts";
import { type Dataset, openDataset } from "../../../shared/reader/open_dataset.ts";
import type { DatasetOptions } from "../../../shared/reader/reader_options.ts";

/** A file of the fake. */
export interface FakeFile {
  bytes: Uint8Array;
  table?: string;
  period?: string;
  /** Listed with it, and without a URL. */
  error?: { code: string; message: string };
  /** The file by which the catalog knows its rows and columns. @default `bytes` */
  told?: Uint8Array;
  /** Replaces what the manifest says of it. */
  listed?: Record<string, unknown>;
}

/** A request for bytes. */
export interface BytesRequest {
  file: number;
  /** Which of the URLs given for the file it is. */
  signature: number;
  start: number;
  end: number;
  /** Counts the requests for bytes, from 0. */
  count: number;
  signal: AbortSignal;
  headers: Headers;
}

/** How the fake behaves. */
export interface FakeOptions {
  /** Answers a request for bytes; undefined: as a store does. */
  bytes?: (request: BytesRequest) => Response | Promise<Response> | undefined;
  /** Answers a request for the manifest or the tables; undefined: as the service does. */
  service?: (url: URL, count: number) => Response | undefined;
  /** Milliseconds until a URL ends. @default an hour */
  urlLifeMs?: number;
  reader?: Partial<DatasetOptions>;
}

/** What was asked of the fake. */
export interface FakeService {
  dataset: Dataset;
  bytes: BytesRequest[];
  /** Paths and queries of the other requests. */
  asked: URL[];
}

/** Opens a dataset over a fake. */
export async function openFake(files: FakeFile[], options: FakeOptions = {}): Promise<FakeService> {
  const bytes: BytesRequest[] = [];
  const asked: URL[] = [];
  const facts = files.map(({ bytes, told = bytes }) => {
    try {
      return inspectParquetBytes(told);
    } catch {
      return undefined;
    }
  });
  let signature = 0;
  const list = (file: FakeFile, id: number, url: boolean) => ({
    id,
    table: file.table ?? "t",
    period_tag: file.period ?? "0",
    size: file.bytes.length,
    level: 0,
    state: "active",
    quarantine_code: null,
    quarantine_reason: null,
    row_count: facts[id]?.rowCount ?? 1,
    row_group_count: facts[id]?.rowGroupCount ?? 1,
    uncompressed_bytes: facts[id]?.uncompressedBytes ?? 1,
    schema_fingerprint: facts[id]?.schemaFingerprint ?? "none",
    stats: facts[id]?.stats ?? null,
    etag: null,
    seq_min: id,
    seq_max: id,
    uploaded_at: "2026-01-01T00:00:00Z",
    added_version: 1,
    ...(url && file.error === undefined && {
      url: `https://store.example/${id}?token=${signature}`,
      url_expires_at: new Date(Date.now() + (options.urlLifeMs ?? 3_600_000)).toISOString(),
    }),
    ...(file.error !== undefined && { error: file.error }),
    ...file.listed,
  });

  function service(url: URL): Response {
    const query = url.searchParams;
    const version = Number(query.get("version") ?? 7);
    const base = { dataset_id: query.get("dataset_id"), version, committed_at: null };
    if (url.pathname.endsWith("/battle-data/chunks")) {
      signature++;
      const wanted = files.map((file, id) => ({ file, id })).filter(({ file }) =>
        (query.get("table") ?? file.table ?? "t") === (file.table ?? "t") &&
        (query.get("period_tag") ?? file.period ?? "0") === (file.period ?? "0")
      );
      const from = Number(query.get("cursor") ?? 0), limit = Number(query.get("limit"));
      return Response.json({
        ...base,
        files: wanted.slice(from, from + limit).map(({ file, id }) => list(file, id, true)),
        next_cursor: from + limit < wanted.length ? String(from + limit) : null,
      });
    }
    const tables = Map.groupBy(files.map((_, id) => id), (id) => files[id].table ?? "t");
    return Response.json({
      ...base,
      next_cursor: null,
      tables: [...tables].map(([table, ids]) => {
        const known = ids.filter((id) => facts[id] !== undefined);
        const schemas = known.map((id) => ({
          fingerprint: facts[id]!.schemaFingerprint,
          files: 1,
          rows: facts[id]!.rowCount,
          schema: facts[id]!.schema,
        }));
        const { tree, refusal } = uniteTable(schemas);
        return {
          table,
          files: ids.length,
          rows: known.reduce((sum, id) => sum + facts[id]!.rowCount, 0),
          bytes: ids.reduce((sum, id) => sum + files[id].bytes.length, 0),
          uncompressed_bytes: 0,
          quarantined_files: 0,
          last_uploaded_at: "2026-01-01T00:00:00Z",
          periods: [],
          columns: tree === undefined ? [] : schemaJson(tree).children,
          conflict: refusal?.message ?? null,
          schemas,
          continues: false,
        };
      }),
    });
  }

  const fake = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input as string);
    init.signal?.throwIfAborted();
    if (url.hostname !== "store.example") {
      asked.push(url);
      return options.service?.(url, asked.length - 1) ?? service(url);
    }
    const headers = new Headers(init.headers);
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(headers.get("range") ?? "") ?? [];
    if (start === undefined) throw new Error(`the Range is ${headers.get("range")}`);
    const request: BytesRequest = {
      file: Number(url.pathname.slice(1)),
      signature: Number(url.searchParams.get("token")),
      start: Number(start),
      end: Number(end),
      count: bytes.length,
      signal: init.signal!,
      headers,
    };
    bytes.push(request);
    const answer = await options.bytes?.(request);
    if (answer !== undefined) return answer;
    // a browser sees none of a store's headers
    return new Response(files[request.file].bytes.slice(request.start, request.end + 1), {
      status: 206,
    });
  };
  const dataset = await openDataset({
    url: "https://project.example",
    session: "a token",
    datasetId: "00000000-0000-4000-8000-000000000001",
    pauseMs: 1,
    fetch: fake as typeof fetch,
    ...options.reader,
  });
  return { dataset, bytes, asked };
}
