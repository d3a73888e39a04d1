/** `GET /battle-data/files/:id/content`: a data file's bytes, with Range, HEAD and ETag. */
import { SedimentError } from "../../shared/errors.ts";
import { readingUser } from "../../shared/http/authenticate.ts";
import { parseRange } from "../../shared/http/byte_range.ts";
import { listsTag } from "../../shared/http/lists_tag.ts";
import { problemResponse } from "../../shared/http/problem.ts";
import { requestIdOf } from "../../shared/http/request_id.ts";
import {
  contentTag,
  copyOf,
  type FileContent,
  packedContentSchema,
  readContent,
  unpackContent,
} from "../../shared/readers/file_content.ts";
import type { Services } from "../services.ts";

/** Serves a file by the token of its signed URL, or to its owner. */
export async function serveContent(
  services: Services,
  request: Request,
  id: string,
): Promise<Response> {
  const file = await fileOf(services, request, id);
  const etag = contentTag(file);
  const headers = new Headers({
    "accept-ranges": "bytes",
    // a purge reaches no cache
    "cache-control": "private, no-store",
    "content-type": "application/vnd.apache.parquet",
    // an address without a token answers by who asks
    vary: "authorization, apikey, x-sediment-user",
    etag,
  });
  const ifMatch = request.headers.get("if-match");
  if (ifMatch !== null && !listsTag(ifMatch, etag, "strong")) {
    throw new SedimentError("precondition_failed", `The file's ETag is ${etag}`, {
      field: "if-match",
      expected: etag,
    });
  }
  const ifNoneMatch = request.headers.get("if-none-match");
  if (ifNoneMatch !== null && listsTag(ifNoneMatch, etag, "weak")) {
    return new Response(null, { status: 304, headers });
  }
  const ifRange = request.headers.get("if-range");
  // RFC 9110 section 14.2: of another method than GET a Range is ignored.
  const ranged = request.method === "GET" && (ifRange === null || ifRange === etag);
  const header = ranged ? request.headers.get("range") : null;
  let range;
  try {
    range = parseRange(header, file.length);
  } catch (thrown) {
    const response = problemResponse(thrown, requestIdOf(request.headers));
    response.headers.set("content-range", `bytes */${file.length}`);
    return response;
  }
  const { start, length } = range ?? { start: 0, length: file.length };
  headers.set("content-length", String(length));
  if (range !== undefined) {
    headers.set("content-range", `bytes ${start}-${start + length - 1}/${file.length}`);
  }
  const status = range === undefined ? 200 : 206;
  if (request.method === "HEAD") return new Response(null, { status, headers });
  const body = await readContent(services.store, file, start, length, {
    signal: request.signal,
    // a URL outlives the split of its object
    moved: () => copyOf(services.catalog, file),
  });
  return new Response(body as BodyInit, { status, headers });
}

async function fileOf(services: Services, request: Request, id: string): Promise<FileContent> {
  const fileId = Number(id);
  if (!/^\d{1,15}$/.test(id)) {
    throw new SedimentError("invalid_request", "The file's id is not a number", {
      field: "id",
      expected: "the id of a file in the manifest",
    });
  }
  const token = new URL(request.url).searchParams.get("token");
  if (token !== null) {
    const file = unpackContent(
      services.tokens.open("content", token, packedContentSchema, services.now()),
    );
    if (file.id === fileId) return file;
    throw new SedimentError("token_invalid", "The token is for another file", {
      field: "token",
      expected: "the URL as the manifest gave it",
    });
  }
  const caller = await services.auth.userOrService(request);
  const file = await services.catalog.getFile({ user: readingUser(caller), file: fileId });
  return {
    id: fileId,
    objectKey: file.object_key,
    start: file.start_byte,
    length: file.byte_length,
  };
}
