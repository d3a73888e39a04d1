/** Step 2 of an upload: the bytes are checked, put and acknowledged. */
import { asSedimentError, type SedimentError } from "../errors.ts";
import { checkBody } from "./check_body.ts";
import { type CheckedBody, checkSlices } from "./check_slices.ts";
import { putOnce } from "./put_once.ts";
import type { UploadAnswer, UploadPorts } from "./ports.ts";
import { type StagedUpload, type StageOptions, stageUpload } from "./stage_upload.ts";
import type { UploadRequest } from "./upload_request.ts";
import { bodyWorkMs, commitWorkMs } from "./work_price.ts";
import type { Work } from "../work_shares.ts";

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
  try {
    using work = await ports.shares?.begin(staged.userId, signal);
    return await checkAndStore(ports, staged, body, work, signal);
  } catch (thrown) {
    const error = asSedimentError(thrown);
    if (!error.retryable || outlastsUrl(error)) await giveUp(ports, staged);
    throw thrown;
  }
}

async function checkAndStore(
  ports: UploadPorts,
  staged: StagedUpload,
  body: Uint8Array,
  work: Work | undefined,
  signal?: AbortSignal,
): Promise<UploadAnswer> {
  work?.cost(bodyWorkMs(body.byteLength));
  // Bytes that were acknowledged were checked; their hash says that these are the same.
  const checked: CheckedBody = staged.duplicate
    ? { bytes: body, files: [], schemaChars: 0 }
    : await checkSlices(ports, staged.request, body, staged.userId, work);
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
  // before the stage: what is told to wait has planned nothing
  using work = await ports.shares?.begin(userId, signal);
  const { staged } = await stageUpload(ports, userId, request, options);
  try {
    return await checkAndStore(ports, staged, body, work, signal);
  } catch (thrown) {
    // Nobody knows the stage: another try has one of its own. A catalog in trouble is not asked for more.
    const { code } = asSedimentError(thrown);
    if (code !== "catalog_failed" && code !== "schema_outdated") await giveUp(ports, staged);
    throw thrown;
  }
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

/** Whether what is in the way lasts longer than the uploadUrl does, mostly: who comes again begins anew. */
function outlastsUrl({ code, retryAfterSeconds }: SedimentError): boolean {
  return code === "quota_exceeded" || code === "rate_limited" && (retryAfterSeconds ?? 0) > 60;
}

/** The planned key is given up, and counts no more as one that is open; when even that fails, the sweep does it later. */
async function giveUp({ catalog }: UploadPorts, { stageId, userId }: StagedUpload): Promise<void> {
  await catalog.abandonUpload({ stage: stageId, user: userId }).catch(() => {});
}
