/**
 * An S3 in memory behind a `fetch`, for what a real one can't be made to do: fail on command, and tell which
 * requests came. It checks no signatures; Ceph does (tests/conformance/s3_store_test.ts).
 */
import { createHash } from "node:crypto";

/** One request as it came. */
export interface SeenRequest {
  method: string;
  /** Key in the bucket; empty for the bucket. */
  key: string;
  query: URLSearchParams;
  headers: Headers;
  body: Uint8Array<ArrayBuffer>;
}

interface Stored {
  bytes: Uint8Array<ArrayBuffer>;
  etag: string;
  type: string;
  at: Date;
}

/** The double, and what may be seen and set of it. */
export interface S3Double {
  fetch: typeof fetch;
  objects: Map<string, Stored>;
  /** Uploads that are neither completed nor aborted: id → part number → bytes. */
  uploads: Map<string, Map<number, Uint8Array<ArrayBuffer>>>;
  requests: SeenRequest[];
  /** Answers in the double's stead where it gives a Response; may throw as fetch does. */
  intercept?: (request: SeenRequest) => Response | undefined | Promise<Response | undefined>;
}

/** Makes an empty double; its bucket is `b`. */
export function createS3Double(): S3Double {
  const double: S3Double = {
    objects: new Map(),
    uploads: new Map(),
    requests: [],
    async fetch(input, init = {}) {
      init.signal?.throwIfAborted();
      const url = new URL(String(input));
      const request: SeenRequest = {
        method: init.method ?? "GET",
        key: decodeURIComponent(url.pathname.replace(/^\/b\/?/, "")),
        query: url.searchParams,
        headers: new Headers(init.headers),
        body: new Uint8Array(await new Response(init.body).arrayBuffer()),
      };
      double.requests.push(request);
      const answer = await double.intercept?.(request) ?? respond(double, request);
      init.signal?.throwIfAborted();
      return answer;
    },
  };
  return double;
}

/** An answer as S3 refuses. */
export function s3Error(status: number, code: string, headers: HeadersInit = {}): Response {
  return xml(`<Error><Code>${code}</Code><Message>as told</Message></Error>`, status, headers);
}

function respond(double: S3Double, { method, key, query, headers, body }: SeenRequest): Response {
  const { objects, uploads } = double;
  const uploadId = query.get("uploadId");
  const taken = () => headers.get("if-none-match") === "*" && objects.has(key);
  const type = headers.get("content-type") ?? "binary/octet-stream";

  if (key === "" && method === "POST" && query.has("delete")) {
    const text = new TextDecoder().decode(body);
    if (headers.get("content-md5") !== createHash("md5").update(body).digest("base64")) {
      return s3Error(400, "BadDigest");
    }
    const keys = [...text.matchAll(/<Key>(.*?)<\/Key>/g)].map((match) => unescape(match[1]));
    if (keys.length > 1000) return s3Error(400, "MalformedXML");
    for (const each of keys) objects.delete(each);
    return xml("<DeleteResult></DeleteResult>");
  }
  if (key === "" && method === "GET") return list(double, query);

  if (method === "POST" && query.has("uploads")) {
    const id = crypto.randomUUID();
    uploads.set(id, new Map());
    return xml(
      `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  }
  if (uploadId !== null) {
    const parts = uploads.get(uploadId);
    if (!parts) return s3Error(404, "NoSuchUpload");
    if (method === "PUT") {
      parts.set(Number(query.get("partNumber")), body);
      return new Response(null, { headers: { etag: `"${md5(body)}"` } });
    }
    if (method === "POST" && taken()) return s3Error(412, "PreconditionFailed");
    uploads.delete(uploadId);
    if (method === "DELETE") return new Response(null, { status: 204 });
    const inOrder = [...parts].sort(([a], [b]) => a - b);
    if (inOrder.slice(0, -1).some(([, part]) => part.length !== inOrder[0][1].length)) {
      return s3Error(400, "InvalidPart"); // as R2, which wants parts of one size
    }
    const bytes = new Uint8Array(inOrder.reduce((size, [, part]) => size + part.length, 0));
    inOrder.reduce((at, [, part]) => (bytes.set(part, at), at + part.length), 0);
    const etag = `${md5(bytes)}-${parts.size}`;
    objects.set(key, { bytes, etag, type, at: new Date() });
    return xml(
      `<CompleteMultipartUploadResult><ETag>&quot;${etag}&quot;</ETag></CompleteMultipartUploadResult>`,
    );
  }

  if (method === "PUT") {
    if (taken()) return s3Error(412, "PreconditionFailed");
    const source = headers.get("x-amz-copy-source");
    const from = source && objects.get(decodeURIComponent(source).replace(/^\/b\//, ""));
    if (source && !from) return s3Error(404, "NoSuchKey");
    const stored = from || { bytes: body, etag: md5(body), type, at: new Date() };
    objects.set(key, stored);
    if (source) return xml(`<CopyObjectResult><ETag>"${stored.etag}"</ETag></CopyObjectResult>`);
    return new Response(null, { headers: { etag: `"${stored.etag}"` } });
  }
  return read(objects.get(key), method, headers.get("range"));
}

function read(object: Stored | undefined, method: string, range: string | null): Response {
  if (!object) {
    return method === "HEAD" ? new Response(null, { status: 404 }) : s3Error(404, "NoSuchKey");
  }
  const size = object.bytes.length;
  const headers = new Headers({
    "etag": `"${object.etag}"`,
    "content-type": object.type,
    "last-modified": object.at.toUTCString(),
    "content-length": String(size),
  });
  if (method === "HEAD") return new Response(null, { headers });
  if (!range) return new Response(object.bytes, { headers });
  const [start, last] = range.replace("bytes=", "").split("-").map(Number);
  if (start >= size) return s3Error(416, "InvalidRange");
  const part = object.bytes.slice(start, last + 1);
  headers.set("content-length", String(part.length));
  headers.set("content-range", `bytes ${start}-${start + part.length - 1}/${size}`);
  return new Response(part, { status: 206, headers });
}

function list({ objects }: S3Double, query: URLSearchParams): Response {
  const after = query.get("continuation-token") ?? "";
  const keys = [...objects.keys()].sort().filter((key) =>
    key.startsWith(query.get("prefix") ?? "") && key > after
  );
  const page = keys.slice(0, Number(query.get("max-keys")));
  const truncated = page.length < keys.length;
  const rows = page.map((key) => {
    const { bytes, etag, at } = objects.get(key)!;
    return `<Contents><Key>${escape(key)}</Key><LastModified>${at.toISOString()}</LastModified>` +
      `<ETag>&quot;${etag}&quot;</ETag><Size>${bytes.length}</Size></Contents>`;
  });
  return xml(
    `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>${truncated}` +
      `</IsTruncated>${rows.join("")}` +
      (truncated ? `<NextContinuationToken>${escape(page.at(-1)!)}</NextContinuationToken>` : "") +
      "</ListBucketResult>",
  );
}

function xml(text: string, status = 200, headers: HeadersInit = {}): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>${text}`, { status, headers });
}

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("'", "&#39;");
}

function unescape(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replaceAll("&amp;", "&");
}
