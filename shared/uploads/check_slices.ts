/** Opens every slice of a body before anything is stored: what is not whole and readable is refused. */
import { checksumOf, checksumOfHash } from "../compaction/checksum.ts";
import { SedimentError } from "../errors.ts";
import type { UploadedFile } from "../catalog/upload_results.ts";
import type { ParquetFacts } from "../parquet/inspect/inspect.ts";
import { CheckAccount } from "./check_price.ts";
import { atSlice, checkNames, checkRows, dataFile } from "./data_file.ts";
import type { Pause } from "../parquet/inspect/pause.ts";
import type { UploadPorts } from "./ports.ts";
import type { Work } from "../work_shares.ts";
import type { UploadRequest } from "./upload_request.ts";

/** A checked body. */
export interface CheckedBody {
  /** The object's bytes: the body itself, or its slices with Avro turned into Parquet. */
  bytes: Uint8Array;
  files: UploadedFile[];
  /** Characters of the files' schemas, as JSON. */
  schemaChars: number;
}

type CheckPorts = Pick<
  UploadPorts,
  "inspect" | "checkValues" | "convertAvro" | "turns" | "budget" | "shares"
>;

/**
 * Checks each slice: its format, its footer, its pages, its row count against `num_rows`. What its pages cost to
 * decode is known from their headers first.
 *
 * @param body the whole body; slices lie inside it
 * @param user whose turns a long check takes
 * @param work is told what the checks cost
 * @throws SedimentError `not_parquet`, `invalid_parquet`, `unsupported_parquet`, `page_too_large`,
 *   `check_too_costly`, the Avro codes, `row_count_mismatch`; for a slice of a concatenated body with the slice's
 *   place as `field`
 */
export async function checkSlices(
  ports: CheckPorts,
  request: UploadRequest,
  body: Uint8Array,
  user: string,
  work?: Pick<Work, "cost">,
): Promise<CheckedBody> {
  const check = (pause: Pause) =>
    accounted(pause, work, (pause, work) => checkEach(ports, request, body, pause, work));
  const { turns, shares } = ports;
  if (turns === undefined) return await check(() => undefined);
  return await turns.take(user, check, () => shares?.hasOthers(user) ?? true);
}

/** Tells, at the end, of the time that a check has worked what is above the prices that were told before. */
async function accounted<T>(
  pause: Pause,
  work: Pick<Work, "cost"> | undefined,
  check: (pause: Pause, work: Pick<Work, "cost"> | undefined) => Promise<T>,
): Promise<T> {
  if (work === undefined) return await check(pause, work);
  let worked = 0, told = 0, resumed = performance.now();
  const onlyWorking: Pause = (aheadMs) => {
    const waiting = pause(aheadMs);
    if (waiting === undefined) return undefined;
    worked += performance.now() - resumed;
    return waiting.then(() => {
      resumed = performance.now();
    });
  };
  const cost = (ms: number) => {
    told += ms;
    work.cost(ms);
  };
  try {
    return await check(onlyWorking, { cost });
  } finally {
    worked += performance.now() - resumed;
    if (worked > told) work.cost(worked - told);
  }
}

/** A check of pages that goes through at once, ms. */
const shortMs = 2;

/** Bytes of Avro that are converted in a millisecond, at least. */
const avroBytesPerMs = 50_000;

async function checkEach(
  ports: CheckPorts,
  request: UploadRequest,
  body: Uint8Array,
  pause: Pause,
  work: Pick<Work, "cost"> | undefined,
): Promise<CheckedBody> {
  const account = new CheckAccount(ports.budget);
  const converted: Uint8Array[] = [];
  const files: UploadedFile[] = [];
  const anyAvro = request.slices.some((slice) => slice.format === "avro");
  let written = 0;
  for (const [ordinal, slice] of request.slices.entries()) {
    const field = request.concatenated ? `table_offsets[${ordinal}]` : "file";
    let bytes = body.subarray(slice.start, slice.start + slice.length);
    let start = slice.start;
    let facts: ParquetFacts;
    try {
      const first = slice.format === "avro"
        ? slice.length / avroBytesPerMs
        : account.expectFooter(declaredFooter(bytes));
      if (slice.format === "avro") work?.cost(first);
      const waiting = pause(first);
      if (waiting !== undefined) await waiting;
      if (slice.format === "avro") bytes = await toParquet(ports, bytes);
      facts = await ports.inspect(bytes, pause);
      checkNames(facts);
      const valuesMs = account.add(facts);
      work?.cost(valuesMs);
      const beforeValues = pause(valuesMs);
      if (beforeValues !== undefined) await beforeValues;
      // what its headers promise is what there is to decode, or it is refused: a short check need not ask the clock
      await ports.checkValues?.(bytes, facts, valuesMs < shortMs ? () => undefined : pause);
    } catch (thrown) {
      throw atSlice(thrown, field);
    }
    checkRows(slice, facts, field);
    if (anyAvro) {
      // Conversion changes lengths: the object is laid out anew.
      start = written;
      written += bytes.byteLength;
      converted.push(bytes);
    }
    // of a body that is one file the SHA-256 is known, and was compared
    const checksum = bytes.byteLength === body.byteLength && slice.format !== "avro"
      ? checksumOfHash(request.contentHash)
      : checksumOf(bytes);
    files.push(dataFile(request, ordinal, start, bytes.byteLength, facts, checksum));
  }
  const bytes = anyAvro ? concatenate(converted, written) : body;
  return { bytes, files, schemaChars: account.schemasChars };
}

/** The length of the footer as the file's last 8 bytes have it, at most the file's own. */
function declaredFooter(bytes: Uint8Array): number {
  const { length, buffer, byteOffset } = bytes;
  if (length < 8) return 0;
  return Math.min(length, new DataView(buffer, byteOffset, length).getUint32(length - 8, true));
}

async function toParquet(ports: Pick<UploadPorts, "convertAvro">, bytes: Uint8Array) {
  if (ports.convertAvro === undefined) {
    throw new SedimentError("unsupported_avro", "Avro is not taken here", {
      expected: "Parquet",
    });
  }
  return await ports.convertAvro(bytes);
}

function concatenate(parts: Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
