/** Multipart upload: a stream of unknown length becomes an object in parts of one size. */
import { brokenOff, failed, type RequestContext } from "./http_call.ts";
import type { S3Client } from "./s3_client.ts";
import { elementText, escapeXml } from "./s3_xml.ts";

/** How an upload is cut. */
export interface MultipartOptions {
  contentType: string;
  /** Whether Complete asks that there is no object yet. */
  ifAbsent: boolean;
  /** Parts that are on their way at once, each held in memory. */
  concurrency: number;
}

/** What S3 gave for one part. */
interface UploadedPart {
  number: number;
  etag: string;
}

/**
 * Uploads parts in order, a few at a time, and completes. On any failure the upload is aborted, so that its
 * parts aren't kept (and paid for).
 * @param parts all but the last of one size of at least 5 MiB (R2 wants them equal)
 * @returns size in bytes, and the ETag without quotes
 */
export async function uploadMultipart(
  client: S3Client,
  context: RequestContext,
  parts: AsyncIterable<Uint8Array<ArrayBuffer>>,
  { contentType, ifAbsent, concurrency }: MultipartOptions,
): Promise<{ size: number; etag: string }> {
  const { key } = context;
  const created = await client.sendForXml(context, "POST", key, {
    query: { uploads: "" },
    headers: { "content-type": contentType },
  });
  const uploadId = elementText(created, "UploadId");
  if (!uploadId) throw failed(context, "no UploadId came for a multipart upload");

  const underway = new Set<Promise<void>>();
  const uploaded: UploadedPart[] = [];
  try {
    let size = 0;
    let number = 0;
    let failure: unknown;
    for await (const body of parts) {
      const part = { number: ++number, etag: "" };
      uploaded.push(part);
      size += body.byteLength;
      const upload = sendPart(client, context, uploadId, part, body)
        .catch((thrown) => void (failure ??= thrown))
        .finally(() => underway.delete(upload));
      underway.add(upload);
      if (underway.size >= concurrency) await Promise.race(underway);
      if (failure) throw failure;
    }
    await Promise.all(underway);
    if (failure) throw failure;
    const completed = await client.sendForXml(context, "POST", key, {
      query: { uploadId },
      headers: { "content-type": "application/xml", ...(ifAbsent ? { "if-none-match": "*" } : {}) },
      body: completion(uploaded),
    });
    return { size, etag: unquoted(elementText(completed, "ETag")) };
  } catch (thrown) {
    await Promise.all(underway);
    await abort(client, context, uploadId);
    throw brokenOff(context, thrown);
  }
}

/** An ETag without its quotes. */
export function unquoted(etag: string | null | undefined): string {
  return (etag ?? "").replace(/^(W\/)?"(.*)"$/, "$2");
}

async function sendPart(
  client: S3Client,
  context: RequestContext,
  uploadId: string,
  part: UploadedPart,
  body: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const answer = await client.send(context, "PUT", context.key, {
    query: { partNumber: String(part.number), uploadId },
    body,
  });
  await answer.body?.cancel();
  part.etag = answer.headers.get("etag") ?? "";
  if (!part.etag) throw failed(context, `part ${part.number} came back without an ETag`);
}

function completion(parts: UploadedPart[]): string {
  const rows = parts.map(({ number, etag }) =>
    `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`
  );
  return `<CompleteMultipartUpload>${rows.join("")}</CompleteMultipartUpload>`;
}

/** Gives up an upload, also after its own signal fired; a bucket's lifecycle rule takes what is missed. */
async function abort(client: S3Client, context: RequestContext, uploadId: string): Promise<void> {
  const anew = { ...context, action: "abort the upload of", signal: AbortSignal.timeout(10_000) };
  try {
    const answer = await client.send(anew, "DELETE", context.key, { query: { uploadId } });
    await answer.body?.cancel();
  } catch {
    // the first failure is the one to tell
  }
}
