import { SedimentError } from "../../../shared/errors.ts";
import { normalizer } from "../../../shared/parquet/decode/normalize.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect.ts";
import { merge } from "../../../shared/parquet/merge.ts";
import { bytesReader } from "../../../shared/parquet/range_reader.ts";
import { MemorySink } from "../memory_sink.ts";
import type { Oracle } from "./oracle.ts";

/** How a mutant ended. Only `wrong` is a fault of ours. */
export interface Verdict {
  outcome:
    /** Refused by the checks at upload, or by the merge, with a code. */
    | "refused at upload"
    | "refused at merge"
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
    | "wrong";
  /** The error's code, or what differs. */
  detail: string;
  /** Milliseconds of the checks and the merge. */
  ms: number;
}

const target = { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" as const };

/** Checks, merges and compares one file. */
export async function examine(bytes: Uint8Array, oracle: Oracle): Promise<Verdict> {
  const begin = performance.now();
  const ended = (outcome: Verdict["outcome"], detail: string): Verdict => ({ outcome, detail, ms });
  let ms = 0;
  const sink = new MemorySink();
  let rowCount: number;
  try {
    rowCount = inspectParquetBytes(bytes).rowCount;
  } catch (error) {
    ms = performance.now() - begin;
    return ended(isTyped(error) ? "refused at upload" : "wrong", textOf(error));
  }
  try {
    const result = await merge(
      { inputs: [{ id: "mutant", level: 0 }], target, expectedRows: rowCount },
      new Map([["mutant", bytesReader(bytes)]]),
      sink,
    );
    ms = performance.now() - begin;
    if (result.rejected.length > 0) {
      const { error } = result.rejected[0];
      return ended(isTyped(error) ? "refused at merge" : "wrong", textOf(error));
    }
  } catch (error) {
    ms = performance.now() - begin;
    return ended("wrong", `the merge threw: ${textOf(error)}`);
  }
  const ours = await oracle.read(sink.bytes());
  const theirs = await oracle.read(bytes);
  if ("error" in ours) {
    const same = "error" in theirs && reasonOf(theirs.error) === reasonOf(ours.error);
    const detail = `DuckDB doesn't read the output: ${ours.error.slice(0, 300)}`;
    return ended(same ? "not for DuckDB" : "wrong", detail);
  }
  if ("digest" in theirs && theirs.digest === ours.digest) return ended("equal", "");
  const third = await throughParquetWasm(bytes, oracle);
  const agrees = third !== undefined && "digest" in third && third.digest === ours.digest;
  if ("error" in theirs) {
    return ended(agrees ? "equal to parquet-wasm" : "merged alone", theirs.error.slice(0, 200));
  }
  const counts = `DuckDB reads ${theirs.rows} rows, we wrote ${ours.rows}`;
  return ended(agrees ? "two against DuckDB" : "wrong", `rows differ: ${counts}`);
}

/**
 * The first words of an error, without what is of one file. Of a variant that is null in one of its columns only
 * DuckDB reads what was in its memory before, and says something else each time.
 */
function reasonOf(error: string): string {
  if (/variant/i.test(error)) return "variant";
  return error.replace(/"[^"]*"/g, "").slice(0, 60);
}

const normalize = normalizer();

/** The rows as parquet-wasm reads them, undefined when it doesn't: its pages under the file's own schema. */
async function throughParquetWasm(bytes: Uint8Array, oracle: Oracle) {
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
