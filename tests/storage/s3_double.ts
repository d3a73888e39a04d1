/**
 * An S3 in memory behind a `fetch`, for what a real one can't be made to do: fail on command, and tell which
 * requests came. Its parts are held to the rules of S3 and of R2. It checks no signatures; Ceph does (tests/conformance/s3_store_test.ts).
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
  /** Value of x-amz-meta-sediment-upload. */
  mark?: string | null;
}

interface Unfinished {
  key: string;
  type: string;
  mark: string | null;
  begun: Date;
  /** Part number → bytes. */
  parts: Map<number, Uint8Array<ArrayBuffer>>;
}

/** The double, and what may be seen and set of it. */
export interface S3Double {
  fetch: typeof fetch;
  objects: Map<string, Stored>;
  /** Uploads that are neither completed nor aborted, by id. */
  uploads: Map<string, Unfinished>;
  requests: SeenRequest[];
  /** Bytes that each part but the last must have. */
  smallestPart: number;
  /** Whether they must all have as many, as on R2. */
  equalParts: boolean;
  /** Does what a request asks for, unseen. */
  respond(request: SeenRequest): Response;
  /** Answers in the double's stead where it gives a Response; may throw as fetch does. */
  intercept?: (request: SeenRequest) => Response | undefined | Promise<Response | undefined>;
}

/** Makes an empty double; its bucket is `b`. */
export function createS3Double(
  rules: Partial<Pick<S3Double, "smallestPart" | "equalParts">> = {},
): S3Double {
  const double: S3Double = {
    smallestPart: 5 * 1024 * 1024,
    equalParts: false,
    ...rules,
    objects: new Map(),
    uploads: new Map(),
    requests: [],
    respond: (request) => respond(double, request),
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
  if (key === "" && method === "GET" && query.has("uploads")) return listUploads(double, query);
  if (key === "" && method === "GET") return list(double, query);

  const mark = headers.get("x-amz-meta-sediment-upload");
  if (method === "POST" && query.has("uploads")) {
    const id = crypto.randomUUID();
    uploads.set(id, { key, type, mark, begun: new Date(), parts: new Map() });
    return xml(
      `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  }
  const source = copySource(double, headers);
  if (source instanceof Response) return source;
  if (uploadId !== null) {
    const upload = uploads.get(uploadId);
    if (upload?.key !== key) return s3Error(404, "NoSuchUpload");
    const { parts } = upload;
    if (method === "PUT") {
      const [first, last] = (headers.get("x-amz-copy-source-range") ?? "").replace("bytes=", "")
        .split("-").map(Number);
      if (source && !(last < source.bytes.length)) return s3Error(400, "InvalidArgument");
      const part = source ? source.bytes.slice(first, last + 1) : body;
      parts.set(Number(query.get("partNumber")), part);
      const etag = `"${md5(part)}"`;
      if (source) return xml(`<CopyPartResult><ETag>${etag}</ETag></CopyPartResult>`);
      return new Response(null, { headers: { etag } });
    }
    if (method === "POST" && taken()) return s3Error(412, "PreconditionFailed");
    if (method === "DELETE") {
      uploads.delete(uploadId);
      return new Response(null, { status: 204 });
    }
    const told = [...new TextDecoder().decode(body).matchAll(/<PartNumber>(\d+)<.*?<ETag>(.*?)</g)];
    if (told.some(([, number, etag]) => unescape(etag) !== `"${md5(parts.get(+number)!)}"`)) {
      return s3Error(400, "InvalidPart");
    }
    const inOrder = told.map(([, number]) => parts.get(Number(number))!);
    if (inOrder.slice(0, -1).some((part) => part.length < double.smallestPart)) {
      return s3Error(400, "EntityTooSmall");
    }
    const unequal = inOrder.slice(0, -1).some((part) => part.length !== inOrder[0].length);
    if (double.equalParts && unequal) return s3Error(400, "InvalidPart");
    uploads.delete(uploadId);
    const bytes = new Uint8Array(inOrder.reduce((size, part) => size + part.length, 0));
    inOrder.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
    const etag = `${md5(bytes)}-${inOrder.length}`;
    objects.set(key, { bytes, etag, type: upload.type, at: new Date(), mark: upload.mark });
    return xml(
      `<CompleteMultipartUploadResult><ETag>&quot;${etag}&quot;</ETag></CompleteMultipartUploadResult>`,
    );
  }

  if (method === "PUT") {
    if (taken()) return s3Error(412, "PreconditionFailed");
    const replaces = headers.get("x-amz-metadata-directive") === "REPLACE";
    const stored = source
      ? { ...source, ...(replaces && { type }) }
      : { bytes: body, etag: md5(body), type, at: new Date(), mark };
    objects.set(key, stored);
    if (source) return xml(`<CopyObjectResult><ETag>"${stored.etag}"</ETag></CopyObjectResult>`);
    return new Response(null, { headers: { etag: `"${stored.etag}"` } });
  }
  const ifMatch = headers.get("if-match");
  if (ifMatch !== null && ifMatch !== `"${objects.get(key)?.etag}"`) {
    return s3Error(412, "PreconditionFailed");
  }
  return read(objects.get(key), method, headers.get("range"));
}

/** The object that a request copies, the answer when it can't, undefined when it copies none. */
function copySource({ objects }: S3Double, headers: Headers): Stored | Response | undefined {
  const source = headers.get("x-amz-copy-source");
  if (source === null) return undefined;
  const object = objects.get(decodeURIComponent(source).replace(/^\/b\//, ""));
  if (object === undefined) return s3Error(404, "NoSuchKey");
  const ifMatch = headers.get("x-amz-copy-source-if-match");
  if (ifMatch === null || ifMatch === `"${object.etag}"`) return object;
  return s3Error(412, "PreconditionFailed");
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
  if (object.mark) headers.set("x-amz-meta-sediment-upload", object.mark);
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

/** Pages of two, so that they are turned. */
function listUploads({ uploads }: S3Double, query: URLSearchParams): Response {
  const place = (key: string | null, id: string | null) => `${key ?? ""}\0${id ?? ""}`;
  const after = place(query.get("key-marker"), query.get("upload-id-marker"));
  const all = [...uploads].map(([id, upload]) => ({ id, ...upload })).filter(({ id, key }) =>
    key.startsWith(query.get("prefix") ?? "") && place(key, id) > after
  ).sort((a, b) => place(a.key, a.id) < place(b.key, b.id) ? -1 : 1);
  const page = all.slice(0, 2), last = page.at(-1);
  const rows = page.map(({ id, key, begun }) =>
    `<Upload><Key>${escape(key)}</Key><UploadId>${id}</UploadId>` +
    `<Initiated>${begun.toISOString()}</Initiated></Upload>`
  );
  return xml(
    `<ListMultipartUploadsResult><IsTruncated>${page.length < all.length}</IsTruncated>` +
      (last
        ? `<NextKeyMarker>${escape(last.key)}</NextKeyMarker>` +
          `<NextUploadIdMarker>${last.id}</NextUploadIdMarker>`
        : "") +
      `${rows.join("")}</ListMultipartUploadsResult>`,
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
