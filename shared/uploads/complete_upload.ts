/** The end of a direct upload: what a client has put into the store is checked without being held, and kept. */
import { createHash } from "node:crypto";
import { checksumOfHash } from "../compaction/checksum.ts";
import { asSedimentError, SedimentError } from "../errors.ts";
import type { UploadedFile } from "../catalog/upload_results.ts";
import type { ParquetFacts } from "../parquet/inspect/inspect.ts";
import type { Pause } from "../parquet/inspect/pause.ts";
import type { RangeReader } from "../parquet/format/range_reader.ts";
import { CheckAccount } from "./check_price.ts";
import { storedReader } from "./stored_reader.ts";
import { atSlice, checkNames, checkRows, dataFile } from "./data_file.ts";
import type { UploadAnswer, UploadPorts } from "./ports.ts";
import type { StagedUpload, StageOutcome } from "./stage_upload.ts";
import type { Work } from "../work_shares.ts";
import { bodyWorkMs, commitWorkMs } from "./work_price.ts";

/** Ports of {@link completeUpload}. */
export interface CompletePorts
  extends Pick<UploadPorts, "catalog" | "store" | "turns" | "budget" | "shares"> {
  /** What a Parquet file is, by range reads; `expectFooter` is told the length of its footer before that is read. */
  inspectRanges(
    reader: RangeReader,
    pause: Pause,
    expectFooter: (bytes: number) => number,
    signal?: AbortSignal,
  ): Promise<ParquetFacts>;
}

/** Bytes read at a time while hashing. */
const pieceBytes = 1024 * 1024;

/**
 * Copies the incoming object to its own key, which no client can write, checks the copy's size, hash and
 * footers, and acknowledges it. The copy comes first: what is checked then can't be exchanged any more.
 * What was acknowledged before has its first answer, wherever the bytes are by now. Pages are not decoded here, as
 * they are when a body passes through a function: a page that can't be read is found by the merge.
 *
 * @param stage where the client put the bytes, and the first answer that the ledger holds for them
 * @throws SedimentError `not_found` when nothing is there yet, `size_mismatch`, `hash_mismatch`, the Parquet
 *   codes, `check_too_costly`, `row_count_mismatch`, `unsupported_avro`, `stage_expired`, `store_failed`, `catalog_failed`
 */
export async function completeUpload(
  ports: CompletePorts,
  staged: StagedUpload,
  { incomingKey, firstAnswer }: Pick<StageOutcome, "firstAnswer"> & { incomingKey: string },
  signal?: AbortSignal,
): Promise<UploadAnswer> {
  const { catalog, store } = ports;
  const { objectKey, request } = staged;
  if (firstAnswer !== null) {
    await giveUp(ports, staged);
    return firstAnswer;
  }
  using work = await ports.shares?.begin(staged.userId, signal);
  const incoming = await store.head(incomingKey, { signal });
  if (incoming !== null && incoming.size !== request.size) {
    throw await givenUp(ports, staged, sizeMismatch(incoming.size, request.size));
  }
  if (incoming !== null) await copyOnce(ports, incomingKey, objectKey, signal);
  const copy = await store.head(objectKey, { signal });
  if (copy === null) {
    throw new SedimentError("not_found", "Nothing was put to the signed URL yet", {
      field: "body",
      expected: "the file at the URL that step 1 gave, before this call",
    });
  }
  let files: UploadedFile[];
  try {
    if (copy.size !== request.size) throw sizeMismatch(copy.size, request.size);
    work?.cost(bodyWorkMs(request.size));
    await checkHash(ports, staged, signal);
    const check = (pause: Pause) => checkFooters(ports, staged, { pause, work, signal });
    files = await (ports.turns?.take(staged.userId, check) ?? check(() => undefined));
  } catch (thrown) {
    throw await givenUp(ports, staged, thrown);
  }
  return await catalog.commitUpload({
    stage: staged.stageId,
    user: staged.userId,
    size: request.size,
    etag: copy.etag,
    contentHash: request.contentHash,
    files,
  });
}

async function copyOnce({ store }: CompletePorts, from: string, to: string, signal?: AbortSignal) {
  try {
    await store.copy(from, to, { signal });
  } catch (thrown) {
    // An earlier call made the copy; the checks are made on it all the same.
    if (asSedimentError(thrown).code !== "already_stored") throw thrown;
  }
}

async function checkHash(
  { store }: CompletePorts,
  { objectKey, request }: StagedUpload,
  signal?: AbortSignal,
): Promise<void> {
  const hash = createHash("sha256");
  for (let at = 0; at < request.size; at += pieceBytes) {
    const length = Math.min(pieceBytes, request.size - at);
    hash.update(await store.getRange(objectKey, at, length, { signal }));
  }
  const found = hash.digest("hex");
  if (found !== request.contentHash) {
    throw new SedimentError("hash_mismatch", `The file's SHA-256 is ${found}`, {
      field: "content_hash",
      expected: request.contentHash,
    });
  }
}

async function checkFooters(
  ports: CompletePorts,
  { objectKey, request }: StagedUpload,
  { pause, work, signal }: { pause: Pause; work: Work | undefined; signal?: AbortSignal },
): Promise<UploadedFile[]> {
  const files: UploadedFile[] = [];
  const account = new CheckAccount(ports.budget);
  for (const [ordinal, slice] of request.slices.entries()) {
    const field = request.concatenated ? `table_offsets[${ordinal}]` : "file";
    const reader = storedReader(ports.store, objectKey, slice.start, slice.length);
    let facts: ParquetFacts;
    try {
      const expectFooter = (bytes: number) => account.expectFooter(bytes);
      facts = await ports.inspectRanges(reader, pause, expectFooter, signal);
      checkNames(facts);
      work?.cost(account.add(facts));
    } catch (thrown) {
      throw atSlice(thrown, field);
    }
    checkRows(slice, facts, field);
    // The whole body was hashed; slices of one are read by range, and have no checksum of their own.
    const checksum = request.concatenated ? null : checksumOfHash(request.contentHash);
    files.push(dataFile(request, ordinal, slice.start, slice.length, facts, checksum));
  }
  work?.cost(commitWorkMs({ files, schemaChars: account.schemasChars }));
  return files;
}

function sizeMismatch(found: number, said: number): SedimentError {
  return new SedimentError("size_mismatch", `The file has ${found} bytes`, {
    field: "file_size",
    expected: `${said} bytes, as file_size says`,
  });
}

/** Gives the stage up when its bytes will never do: what was put can't be put again. */
async function givenUp(ports: CompletePorts, staged: StagedUpload, thrown: unknown) {
  if (!asSedimentError(thrown).retryable) await giveUp(ports, staged);
  return thrown;
}

/** The objects of a stage that is still open go; when even that fails, the sweep does it later. */
async function giveUp({ catalog }: CompletePorts, { stageId, userId }: StagedUpload) {
  await catalog.abandonUpload({ stage: stageId, user: userId }).catch(() => {});
}
