/** A service that has a manifest and files, for what reads them; each can be made to fail. */

/** A file of the dataset. */
export interface ServedFile {
  id: number | string;
  table: string;
  period_tag: string;
  bytes: Uint8Array<ArrayBuffer>;
  /** Listed as one that can't be read. */
  error?: { code: string; message: string };
}

/** See the file's head. */
export interface ManifestService {
  origin: string;
  version: number;
  files: ServedFile[];
  /** Ids of files whose bytes were sent, in their order. */
  sent: string[];
  /** Queries of the manifest. */
  queries: URLSearchParams[];
  /** Answers instead of a file's bytes. */
  refuse?: (
    file: ServedFile,
    times: number,
  ) => Response | undefined | Promise<Response | undefined>;
  stop(): Promise<void>;
}

/** Starts one on a free port. */
export function startManifestService(files: ServedFile[]): ManifestService {
  const times = new Map<string, number>();
  let page = 0;
  const service: ManifestService = {
    origin: "",
    version: 1,
    files,
    sent: [],
    queries: [],
    stop: () => server.shutdown(),
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/chunks")) {
      service.queries.push(url.searchParams);
      const table = url.searchParams.get("table");
      const of = service.files.filter((file) => table === null || file.table === table);
      // Two files a page: whoever reads the first page only has not read all.
      const from = Number(url.searchParams.get("cursor") ?? 0);
      page++;
      return Response.json({
        version: service.version,
        files: of.slice(from, from + 2).map(({ bytes, error, ...file }) => ({
          ...file,
          size: bytes.length,
          level: 0,
          state: error ? "quarantined" : "active",
          row_count: 1,
          row_group_count: 1,
          error,
          url: error ? undefined : `${service.origin}/file/${file.id}?page=${page}`,
        })),
        next_cursor: from + 2 < of.length ? String(from + 2) : null,
      });
    }
    const id = decodeURIComponent(url.pathname.split("/").at(-1)!);
    const file = service.files.find((one) => String(one.id) === id);
    if (!file) return Response.json({ code: "not_found" }, { status: 404 });
    const count = (times.get(id) ?? 0) + 1;
    times.set(id, count);
    const refused = await service.refuse?.(file, count);
    if (refused) return refused;
    service.sent.push(id);
    return new Response(file.bytes);
  });
  service.origin = `http://127.0.0.1:${server.addr.port}`;
  return service;
}
