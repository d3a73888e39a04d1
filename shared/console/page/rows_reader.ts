/**
 * The first rows of a table by the reader: a chunk of its own, which is as large as all the rest of the page. The bytes come
 * by the functions' own route of a file's content, not by the store's signed addresses: so the page asks nobody but who
 * serves it (`connect-src 'self'`), and behind `sediment console` no second way leads past the proxy.
 */
import type * as arrow from "apache-arrow";
import { openDataset } from "../../reader/open_dataset.ts";
import { cellText } from "./cell_text.ts";

/** What is read, and how the page asks. */
export interface RowsQuery {
  datasetId: string;
  table: string;
  period?: string;
  /** Of the page. */
  origin: string;
  /** Asks a route of the functions as whoever is signed in. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** How many rows at most. */
  count: number;
}

/** Rows as texts, a null for what is null. */
export interface ReadRows {
  columns: { name: string; type: string }[];
  rows: (string | null)[][];
  /** Files that could not be read. */
  leftOut: number;
}

/** Far below the reader's own: a hundred rows are wanted, and the functions' isolates pass on what is read. */
const limits = { aheadBytes: 2 * 1024 * 1024, aheadCount: 1, batchBytes: 2 * 1024 * 1024 };

/** Reads them. Throws as the reader does, and what `ask` throws. */
export async function readRows(query: RowsQuery): Promise<ReadRows> {
  const { datasetId, table, period, origin, count } = query;
  const base = `${origin}/functions/v1`;
  const dataset = await openDataset({
    url: origin,
    session: { credential: () => Promise.resolve({ token: "", headers: {} }) },
    datasetId,
    fetch: (input, init) => fetchByRoutes(query, base, String(input), init),
    limits: { ...limits, batchRows: count },
  });
  const scan = dataset.scan({ table, period, unreadable: "skip" });
  const { fields } = await scan.schema();
  const rows: (string | null)[][] = [];
  for await (const batch of scan) {
    for (let row = 0; row < batch.numRows && rows.length < count; row++) {
      rows.push(fields.map(({ type }, i) => textAt(batch.getChildAt(i), type, row)));
    }
    if (rows.length >= count) break;
  }
  return {
    columns: fields.map(({ name, type }) => ({ name, type: String(type) })),
    rows,
    leftOut: scan.report.leftOut.length,
  };
}

function textAt(vector: arrow.Vector | null, type: arrow.DataType, row: number): string | null {
  const value = vector?.get(row) ?? null;
  return value === null ? null : cellText(value, type);
}

/** Asks by the page's session; the files of a manifest get the addresses of the functions' route. */
async function fetchByRoutes(
  { ask }: RowsQuery,
  base: string,
  address: string,
  init?: RequestInit,
): Promise<Response> {
  const url = new URL(address);
  const isManifest = url.pathname.endsWith("/battle-data/chunks");
  // the store's addresses are not used: none is signed
  if (isManifest) url.searchParams.delete("signed");
  const response = await ask(url.href.slice(base.length), init);
  if (!isManifest || !response.ok) return response;
  const manifest = await response.json();
  const url_expires_at = new Date(Date.now() + 86_400_000).toISOString();
  return Response.json({
    ...manifest,
    files: manifest.files.map((file: { id: number; error?: unknown }) =>
      file.error === undefined
        ? { ...file, url: `${base}/battle-data/files/${file.id}/content`, url_expires_at }
        : file
    ),
  });
}
