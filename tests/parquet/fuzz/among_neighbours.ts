import { Buffer } from "node:buffer";
import { SedimentError } from "../../../shared/errors.ts";
import { normalizer } from "../../../shared/parquet/merge/decode/normalize.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import type { MergeResult } from "../../../shared/parquet/merge/merge_plan.ts";
import { schemaTree } from "../../../shared/parquet/format/schema.ts";
import { schemaFingerprint } from "../../../shared/parquet/format/schema_fingerprint.ts";
import { planByName } from "../../../shared/parquet/merge/union/plan_by_name.ts";
import { mergeBytes, type PathName, paths } from "../core/merge_bytes.ts";
import { declaredRows } from "./examine.ts";
import { type Oracle, type Rows, sumOf } from "./oracle.ts";
import { zstdDiffers } from "./zstd_differs.ts";

const options = { planSource: planByName, normalize: normalizer() };

/** A sound file, and what two of it make. */
export interface Neighbour {
  bytes: Uint8Array;
  rowCount: number;
  fingerprint: string;
  /** As DuckDB reads it; undefined where it doesn't. */
  rows: Rows | undefined;
  /** The file merged with itself, on each path. */
  pairs: Map<PathName, Uint8Array>;
}

/** Merges a sound file with itself on all paths. */
export async function neighbour(bytes: Uint8Array, oracle: Oracle): Promise<Neighbour> {
  const facts = inspectParquetBytes(bytes);
  const { rowCount } = facts;
  const pairs = new Map<PathName, Uint8Array>();
  for (const way of Object.keys(paths) as PathName[]) {
    const { output } = await mergeBytes([bytes, bytes], 2 * rowCount, {
      ...options,
      settings: paths[way],
    });
    pairs.set(way, output);
  }
  const reading = await oracle.read(bytes);
  return {
    bytes,
    rowCount,
    fingerprint: facts.schemaFingerprint,
    rows: "error" in reading ? undefined : reading,
    pairs,
  };
}

/**
 * What goes wrong when a mutant stands between two sound files, undefined when nothing does: they must be taken,
 * and a mutant that is left out must leave no trace in what is written of them.
 * @param alone the mutant's rows where a merge of it alone takes it
 */
export async function faultAmong(
  { bytes, rowCount, fingerprint, rows, pairs }: Neighbour,
  mutant: Uint8Array,
  alone: Rows | undefined,
  way: PathName,
  oracle: Oracle,
): Promise<string | undefined> {
  let result: MergeResult, output: Uint8Array;
  const expected = 2 * rowCount + (alone === undefined ? 0 : declaredRows(mutant));
  try {
    ({ result, output } = await mergeBytes([bytes, mutant, bytes], expected, {
      ...options,
      settings: paths[way],
    }));
  } catch (error) {
    // of a file that is refused alone nobody knows the rows
    if (error instanceof SedimentError && error.code === "merge_rows_differ") {
      if (alone === undefined) return undefined;
    }
    return `${way}, between others: ${error instanceof Error ? error.stack : error}`;
  }
  const [rejection] = result.rejected;
  if (rejection === undefined) {
    if (alone === undefined) {
      // of a footer like one before only what is used is read again (footer_scan.ts)
      const scanned = way === "as one transaction" && declaredRows(mutant) === 0;
      if (!scanned) return `${way}: taken between others, and refused alone`;
      const reading = await oracle.read(output);
      return "error" in reading ? `${way}: DuckDB reads no row: ${reading.error}` : undefined;
    }
    const { schema } = footerOfBytes(mutant).metadata;
    const same = schemaFingerprint(schemaTree(schema)) === fingerprint;
    if (!same || rows === undefined) return undefined;
    const reading = await oracle.read(output);
    if ("error" in reading) return `${way}: DuckDB reads no row of the three: ${reading.error}`;
    const sum = sumOf(rows, alone, rows);
    if (reading.digest === sum.digest) return undefined;
    // a copied page is read by DuckDB's zstd, and what it holds alone by ours
    if (way === "copied" && await zstdDiffers(mutant)) return undefined;
    return `${way}: the three have ${reading.rows} rows, other ones than the ${sum.rows}`;
  }
  if (result.rejected.length > 1 || rejection.id !== "file1") {
    return `${way}: a sound file is refused`;
  }
  const { code, status, extra } = rejection.error;
  if (status !== 422 || extra?.file !== "file1") {
    return `${way}: ${code} ${rejection.error.message}`;
  }
  if (alone !== undefined && code !== "schema_incompatible") {
    return `${way}: refused between others, and taken alone: ${rejection.error.message}`;
  }
  if (Buffer.compare(output, pairs.get(way)!) === 0) return undefined;
  if (rows === undefined) return undefined;
  const reading = await oracle.read(output);
  const fine = "digest" in reading && reading.digest === sumOf(rows, rows).digest;
  return fine ? undefined : `${way}: what was left out shows in the rows of the others`;
}
