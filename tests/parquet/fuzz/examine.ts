import { SedimentError } from "../../../shared/errors.ts";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { normalizer } from "../../../shared/parquet/merge/decode/normalize.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { inspectInTurns } from "../../../shared/parquet/inspect/inspect.ts";
import { merge } from "../../../shared/parquet/merge/merge.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import { MemorySink } from "../memory_sink.ts";
import type { Oracle, Reading, Rows } from "./oracle.ts";
import { zstdDiffers } from "./zstd_differs.ts";

/** How a mutant ended. Only `wrong` is a fault of ours. */
export interface Verdict {
  outcome:
    /** Refused by the checks at upload and by the merge, with a code. */
    | "refused"
    /** Merged to the rows that DuckDB reads from it. */
    | "equal"
    /** DuckDB doesn't read it; parquet-wasm reads the same rows as we. */
    | "equal to parquet-wasm"
    /** DuckDB reads other rows, and parquet-wasm the same as we. */
    | "two against DuckDB"
    /** No other reader takes it. */
    | "merged alone"
    /** DuckDB reads neither the mutant nor, for the same reason, what we made of it. */
    | "not for DuckDB"
    /** Broken zstd frames without a checksum, which decompressors read each in its way. */
    | "zstd differs"
    | "wrong";
  /** The error's code, or what differs. */
  detail: string;
  /** Whether the checks at upload take it. */
  accepted: boolean;
  /** DuckDB's error of a mutant that was accepted at upload. */
  unreadable?: string;
  /** The parts of the place that a refusal names: `row_group column page`. */
  place?: string;
  /** The rows of a mutant that the merge takes. */
  rows?: Rows;
  /** Milliseconds of the checks and the merge. */
  ms: number;
}

/** Sizes of outputs. */
const target = { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" as const };

/** Checks, merges and compares one file. */
export async function examine(bytes: Uint8Array, oracle: Oracle): Promise<Verdict> {
  const begin = performance.now();
  const { refusal: upload, whole } = await checkedAtUpload(bytes);
  const { refusal, output } = await mergeAlone(bytes);
  const ms = performance.now() - begin;
  const accepted = upload === undefined;
  const ended = (outcome: Verdict["outcome"], detail: string, more: Partial<Verdict> = {}) => ({
    outcome,
    detail,
    accepted,
    ms,
    ...more,
  });
  for (const error of [upload, refusal]) {
    if (error !== undefined && !isTyped(error)) return ended("wrong", textOf(error));
  }
  if (output === undefined) {
    const detail = textOf(refusal);
    // what is decoded and taken at upload must not be quarantined later; brotli can't be on Deno 2.1
    if (accepted && whole) {
      return ended("wrong", `accepted at upload, refused by the merge: ${detail}`);
    }
    const { extra } = refusal as SedimentError;
    if (extra?.file !== "mutant") {
      return ended("wrong", `the error does not name the file: ${detail}`);
    }
    const place = ["row_group", "column", "page"].filter((part) => extra[part] !== undefined);
    return ended("refused", detail, { place: place.join(" ") });
  }
  return await compared(bytes, output, oracle, ended);
}

async function compared(
  bytes: Uint8Array,
  output: Uint8Array,
  oracle: Oracle,
  ended: (outcome: Verdict["outcome"], detail: string, more?: Partial<Verdict>) => Verdict,
): Promise<Verdict> {
  const ours = await oracle.read(output);
  const theirs = await oracle.read(bytes);
  const { accepted } = ended("equal", "");
  const unreadable = accepted && "error" in theirs ? theirs.error : undefined;
  if ("error" in ours) {
    const same = "error" in theirs && reasonOf(theirs.error) === reasonOf(ours.error);
    const detail = `DuckDB doesn't read the output: ${ours.error.slice(0, 300)}`;
    return ended(same ? "not for DuckDB" : "wrong", detail, { unreadable });
  }
  const more = { rows: ours, unreadable };
  if ("digest" in theirs && theirs.digest === ours.digest) return ended("equal", "", more);
  const third = await throughParquetWasm(bytes, oracle);
  const agrees = third !== undefined && "digest" in third && third.digest === ours.digest;
  if ("error" in theirs) {
    return ended(
      agrees ? "equal to parquet-wasm" : "merged alone",
      theirs.error.slice(0, 200),
      more,
    );
  }
  const counts = `rows differ: DuckDB reads ${theirs.rows} rows, we wrote ${ours.rows}`;
  if (agrees) return ended("two against DuckDB", counts, more);
  return ended(zstdDiffers(bytes) ? "zstd differs" : "wrong", counts, more);
}

/** Why the checks at upload refuse a file; undefined when they take it. */
/** What the upload says of a file, and whether it could decode all of it. */
async function checkedAtUpload(bytes: Uint8Array): Promise<{ refusal?: unknown; whole: boolean }> {
  try {
    return { whole: await checkValues(bytes, await inspectInTurns(bytes, () => undefined)) };
  } catch (refusal) {
    return { refusal, whole: true };
  }
}

async function mergeAlone(
  bytes: Uint8Array,
): Promise<{ refusal?: unknown; output?: Uint8Array }> {
  const sink = new MemorySink();
  const plan = { inputs: [{ id: "mutant", level: 0 }], target, expectedRows: declaredRows(bytes) };
  try {
    const { rejected } = await merge(plan, new Map([["mutant", bytesReader(bytes)]]), sink);
    return rejected.length > 0 ? { refusal: rejected[0].error } : { output: sink.bytes() };
  } catch (refusal) {
    return { refusal };
  }
}

/** Rows of the row groups as the footer has them; 0 when there is none. */
export function declaredRows(bytes: Uint8Array): number {
  try {
    const { rowGroups } = footerOfBytes(bytes).metadata;
    return rowGroups.reduce((sum, group) => sum + group.numRows, 0);
  } catch {
    return 0;
  }
}

/**
 * The first words of an error, without what is of one file. Of a variant that is null in one of its columns only
 * DuckDB reads what was in its memory before, and says something else each time.
 */
export function reasonOf(error: string): string {
  if (/variant/i.test(error)) return "variant";
  return error.replace(/"[^"]*"/g, "").slice(0, 60);
}

const normalize = normalizer();

/** The rows as parquet-wasm reads them, undefined when it doesn't: its pages under the file's own schema. */
async function throughParquetWasm(bytes: Uint8Array, oracle: Oracle): Promise<Reading | undefined> {
  try {
    const reader = await normalize("mutant", bytesReader(bytes));
    return await oracle.read(await reader.read(0, reader.size));
  } catch {
    return undefined;
  }
}

/** Whether an error is one that a client may be shown: a code of ours that says that the file is at fault. */
function isTyped(error: unknown): boolean {
  return error instanceof SedimentError && error.status === 422;
}

function textOf(error: unknown): string {
  if (error instanceof SedimentError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error);
}
