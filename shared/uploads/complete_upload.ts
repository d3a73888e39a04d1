/** The end of a direct upload: what a client has put into the store is checked without being held, and kept. */
import type { UploadedFile } from "../catalog/upload_results.ts";
import type { ParquetFacts } from "../parquet/inspect/inspect.ts";
import type { Pause } from "../parquet/inspect/pause.ts";
import type { RangeReader } from "../parquet/format/range_reader.ts";
import { CheckAccount } from "./check_price.ts";
import { storedReader } from "./stored_reader.ts";
import { isHopeless, takeCopy } from "./take_copy.ts";
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
  const { objectKey, request } = staged;
  const { size, contentHash } = request;
  if (firstAnswer !== null) {
    await giveUp(ports, staged);
    return firstAnswer;
  }
  using work = await ports.shares?.begin(staged.userId, signal);
  let files: UploadedFile[];
  let etag: string;
  try {
    const body = { incomingKey, objectKey, size, contentHash };
    const copy = await takeCopy(ports.store, body, {
      slices: request.slices,
      onThere: () => work?.cost(bodyWorkMs(size)),
      signal,
    });
    etag = copy.etag;
    const check = (pause: Pause) =>
      checkFooters(ports, staged, { checksums: copy.checksums, pause, work, signal });
    const { turns, shares } = ports;
    const hasOthers = () => shares?.hasOthers(staged.userId) ?? true;
    files = await (turns?.take(staged.userId, check, hasOthers) ?? check(() => undefined));
  } catch (thrown) {
    if (isHopeless(thrown)) await giveUp(ports, staged);
    throw thrown;
  }
  const { stageId: stage, userId: user } = staged;
  return await ports.catalog.commitUpload({ stage, user, size, etag, contentHash, files });
}

async function checkFooters(
  ports: CompletePorts,
  { objectKey, request }: StagedUpload,
  { checksums, pause, work, signal }: {
    checksums: string[];
    pause: Pause;
    work: Work | undefined;
    signal?: AbortSignal;
  },
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
    files.push(dataFile(request, ordinal, slice.start, slice.length, facts, checksums[ordinal]));
  }
  work?.cost(commitWorkMs({ files, schemaChars: account.schemasChars }));
  return files;
}

/** The objects of a stage that is still open go; when even that fails, the sweep does it later. */
async function giveUp({ catalog }: CompletePorts, { stageId, userId }: StagedUpload) {
  await catalog.abandonUpload({ stage: stageId, user: userId }).catch(() => {});
}
