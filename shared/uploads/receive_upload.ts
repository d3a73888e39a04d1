/** Step 2 of an upload: the bytes are checked, put and acknowledged. */
import { asSedimentError, SedimentError } from "../errors.ts";
import { type CheckedBody, checkSlices } from "./check_slices.ts";
import { sha256 } from "./digests.ts";
import type { UploadAnswer, UploadPorts } from "./ports.ts";
import { type StagedUpload, stageUpload } from "./stage_upload.ts";
import type { UploadRequest } from "./upload_request.ts";

/**
 * Takes the bytes of a staged upload: one put and one catalog call. Called again with the same bytes, it
 * gives the first answer.
 *
 * @throws SedimentError `empty_file`, `size_mismatch`, `hash_mismatch`, what {@link checkSlices} throws,
 *   `stage_expired`, `store_failed`, `catalog_failed`
 */
export async function receiveUpload(
  ports: UploadPorts,
  staged: StagedUpload,
  body: Uint8Array,
  signal?: AbortSignal,
): Promise<UploadAnswer> {
  checkIdentity(staged.request, body);
  let checked: CheckedBody;
  try {
    checked = await checkSlices(ports, staged.request, body);
  } catch (thrown) {
    // These are the bytes that were promised and they will never do: the planned key is given up. When
    // even that fails, the sweep does it later.
    await ports.catalog.abandonUpload({ stage: staged.stageId, user: staged.userId })
      .catch(() => {});
    throw thrown;
  }
  return await storeAndCommit(ports, staged, checked, signal);
}

/**
 * Takes description and bytes together: they are checked before anything is planned, so that a bad file
 * leaves no trace.
 */
export async function uploadAtOnce(
  ports: UploadPorts,
  userId: string,
  request: UploadRequest,
  body: Uint8Array,
  ttlSeconds: number,
  signal?: AbortSignal,
): Promise<UploadAnswer> {
  checkIdentity(request, body);
  const checked = await checkSlices(ports, request, body);
  const { staged } = await stageUpload(ports, userId, request, ttlSeconds);
  return await storeAndCommit(ports, staged, checked, signal);
}

/** Whether the bytes are those that were announced. */
function checkIdentity(request: UploadRequest, body: Uint8Array): void {
  if (body.byteLength === 0) {
    throw new SedimentError("empty_file", "The body has no bytes", {
      field: "body",
      expected: `${request.size} bytes`,
    });
  }
  if (body.byteLength !== request.size) {
    throw new SedimentError("size_mismatch", `The body has ${body.byteLength} bytes`, {
      field: "file_size",
      expected: `${request.size} bytes, as file_size says`,
    });
  }
  const hash = sha256(body);
  if (hash !== request.contentHash) {
    throw new SedimentError("hash_mismatch", `The body's SHA-256 is ${hash}`, {
      field: "content_hash",
      expected: request.contentHash,
    });
  }
}

async function storeAndCommit(
  ports: UploadPorts,
  staged: StagedUpload,
  checked: CheckedBody,
  signal?: AbortSignal,
): Promise<UploadAnswer> {
  // What the ledger held at staging it holds for ever: the bytes are not needed a second time.
  const info = staged.duplicate ? null : await put(ports, staged, checked.bytes, signal);
  return await ports.catalog.commitUpload({
    stage: staged.stageId,
    user: staged.userId,
    size: checked.bytes.byteLength,
    etag: info?.etag ?? null,
    contentHash: staged.request.contentHash,
    files: checked.files,
  });
}

/**
 * Puts the object. A key that is taken was taken by an earlier request with the same token, hence with the
 * same bytes: only its commit is missing, or only its answer got lost.
 */
async function put(
  { store }: UploadPorts,
  staged: StagedUpload,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<{ etag: string }> {
  try {
    return await store.put(staged.objectKey, bytes, { upsert: false, signal });
  } catch (thrown) {
    const error = asSedimentError(thrown);
    if (error.code !== "already_stored") throw error;
    const found = await store.head(staged.objectKey, { signal });
    if (found === null || found.size !== bytes.byteLength) {
      throw new SedimentError("store_failed", `${staged.objectKey} is taken by other bytes`, {
        cause: error,
      });
    }
    return found;
  }
}
