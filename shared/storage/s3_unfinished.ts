/** Multipart uploads that were begun and never ended: their writer died. */
import { SedimentError } from "../errors.ts";
import type { CallOptions } from "./object_store.ts";
import type { S3Client } from "./s3_client.ts";
import { elements, elementText } from "./s3_xml.ts";

/**
 * Aborts the uploads below a prefix that were begun before a time, page by page as ListMultipartUploads gives them.
 * @returns how many there were
 */
export async function abandonUploads(
  client: S3Client,
  prefix: string,
  before: Date,
  { signal }: CallOptions = {},
): Promise<number> {
  let abandoned = 0;
  let marker: Record<string, string> = {};
  do {
    const context = { action: "list the unfinished uploads of", key: prefix, signal };
    const page = await client.sendForXml(context, "GET", null, {
      query: { uploads: "", prefix, "max-uploads": "1000", ...marker },
    });
    for (const upload of elements(page, "Upload")) {
      const key = elementText(upload, "Key"), uploadId = elementText(upload, "UploadId");
      const begun = Date.parse(elementText(upload, "Initiated") ?? "");
      // A time that can't be read is no reason to end what may be somebody's work.
      if (!key?.startsWith(prefix) || !uploadId || !(begun < before.getTime())) continue;
      if (await abort(client, key, uploadId, signal)) abandoned++;
    }
    const truncated = elementText(page, "IsTruncated") === "true";
    const key = elementText(page, "NextKeyMarker");
    const uploadId = elementText(page, "NextUploadIdMarker");
    marker = truncated && key && uploadId
      ? { "key-marker": key, "upload-id-marker": uploadId }
      : {};
  } while (marker["key-marker"] !== undefined);
  return abandoned;
}

/** Aborts; false when the upload has ended meanwhile, or is to be met again the next time. */
async function abort(
  client: S3Client,
  key: string,
  uploadId: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const context = { action: "abort the upload of", key, signal };
  try {
    const answer = await client.send(context, "DELETE", key, { query: { uploadId } });
    await answer.body?.cancel();
    return true;
  } catch (thrown) {
    if (thrown instanceof SedimentError && thrown.code === "store_failed") return false;
    throw thrown;
  }
}
