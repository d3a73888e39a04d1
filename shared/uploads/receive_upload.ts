/** Step 2 of an upload: the bytes are checked, put and acknowledged. */
import { checkBody } from "./check_body.ts";
import { type CheckedBody, checkSlices } from "./check_slices.ts";
import { putOnce } from "./put_once.ts";
import type { UploadAnswer, UploadPorts } from "./ports.ts";
import { type StagedUpload, type StageOptions, stageUpload } from "./stage_upload.ts";
import type { UploadRequest } from "./upload_request.ts";
import { bodyWorkMs, commitWorkMs } from "./work_price.ts";

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
  checkBody(staged.request, body);
  return await checkAndStore(ports, staged, body, signal);
}

async function checkAndStore(
  ports: UploadPorts,
  staged: StagedUpload,
  body: Uint8Array,
  signal?: AbortSignal,
): Promise<UploadAnswer> {
  using work = await ports.shares?.begin(staged.userId, signal);
  work?.cost(bodyWorkMs(body));
  let checked: CheckedBody;
  try {
    // Bytes that were acknowledged were checked; their hash says that these are the same.
    checked = staged.duplicate
      ? { bytes: body, files: [], schemaChars: 0 }
      : await checkSlices(ports, staged.request, body, staged.userId, work);
  } catch (thrown) {
    // These are the bytes that were promised and they will never do: the planned key is given up. When
    // even that fails, the sweep does it later.
    await ports.catalog.abandonUpload({ stage: staged.stageId, user: staged.userId })
      .catch(() => {});
    throw thrown;
  }
  work?.cost(commitWorkMs(checked));
  return await storeAndCommit(ports, staged, checked, signal);
}

/**
 * Takes description and bytes together. The catalog is asked first, since its limits are to bound the work that comes
 * then; of a bad file nothing is left but a key that was given up.
 *
 * @param options `bodyHash`: the SHA-256 of the body, where the caller has computed it
 */
export async function uploadAtOnce(
  ports: UploadPorts,
  userId: string,
  request: UploadRequest,
  body: Uint8Array,
  options: StageOptions & { bodyHash?: string },
  signal?: AbortSignal,
): Promise<UploadAnswer> {
  checkBody(request, body, options.bodyHash);
  const { staged } = await stageUpload(ports, userId, request, options);
  return await checkAndStore(ports, staged, body, signal);
}

async function storeAndCommit(
  ports: UploadPorts,
  staged: StagedUpload,
  checked: CheckedBody,
  signal?: AbortSignal,
): Promise<UploadAnswer> {
  // What the ledger held at staging it holds for ever: the bytes are not needed a second time.
  const info = staged.duplicate
    ? null
    : await putOnce(ports.store, staged.objectKey, checked.bytes, signal);
  return await ports.catalog.commitUpload({
    stage: staged.stageId,
    user: staged.userId,
    size: staged.request.size,
    objectSize: checked.bytes.byteLength,
    etag: info?.etag ?? null,
    contentHash: staged.request.contentHash,
    files: checked.files,
  });
}
