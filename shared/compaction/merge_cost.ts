/**
 * What a merge will cost, from what the catalog knows of its inputs: linear in files, column chunks, values and
 * bytes, with coefficients that `deno task bench merge --fit` measures (`cost_coefficients.ts`).
 */
import { costCoefficients as per } from "./cost_coefficients.ts";

/**
 * How rows get into the output. `copy`: healthy row groups, byte for byte. `pages`: page by page. `sort`: page by
 * page, sorted or deduplicated. `zstd`: page by page in and out of zstd. What the kernels don't know is decoded and
 * encoded again; the catalog doesn't say which files that will be, so no plan counts on it: the turn's deadline and
 * the lease bound it.
 */
export type MergePath = "copy" | "pages" | "sort" | "zstd";

/** Sums over the inputs that take one path. */
export interface MergeWork {
  path: MergePath;
  files: number;
  /** Columns of the output. */
  leaves: number;
  /** Column chunks of the inputs: row groups times leaves. */
  chunks: number;
  /** Rows times leaves; what lists hold is in the bytes only. */
  values: number;
  /** Bytes as stored. */
  bytes: number;
  /** Bytes of all pages before compression. */
  plainBytes: number;
}

/** What a merge costs. */
export interface MergeCost {
  /** CPU of the isolate in ms. */
  cpuMs: number;
  /** Peak resident memory of the isolate in MB (10^6 bytes), what Deno takes before a merge counted. */
  memoryMb: number;
}

/** Ms of CPU for fetching an object over HTTPS beside reading it from a disk (MERGE.md: about 70 µs for 15 KB). */
const fetchMs = 0.07;

/** Bytes that are in memory at once at the most: of a row group being built, and of rows that wait to be sorted. */
export const memoryBounds = { group: 20_000_000, sort: 60_000_000 };

/** The cost of one merge: reading from where reads are free, and with an output that is not held. */
export function mergeCost(works: readonly MergeWork[]): MergeCost {
  const leaves = Math.max(0, ...works.map((work) => work.leaves));
  let cpuMs = per.fixedMs + leaves * per.columnMs;
  let memoryMb = per.fixedMb + leaves * per.columnMb;
  for (const work of works) {
    if (work.files === 0) continue;
    const { path, files, chunks, values, bytes, plainBytes } = work;
    cpuMs += files * per.fileMs;
    memoryMb += files * per.fileMb;
    if (path === "copy") {
      cpuMs += chunks * per.copyChunkMs + bytes * per.copyByteMs;
      continue;
    }
    cpuMs += chunks * per.chunkMs + values * per.valueMs + bytes * per.byteMs +
      plainBytes * per.plainByteMs;
    memoryMb += Math.min(plainBytes, memoryBounds.group) * per.groupByteMb;
    if (path === "zstd") {
      cpuMs += per.zstdMs + plainBytes * per.zstdPlainByteMs;
      memoryMb += per.zstdMb;
    }
    if (path === "sort") {
      cpuMs += values * per.sortValueMs;
      memoryMb += Math.min(plainBytes, memoryBounds.sort) * per.sortByteMb;
    }
  }
  return { cpuMs, memoryMb };
}

/** The cost of one output of a turn: inputs come over HTTPS, and the output is held until it is put. */
export function outputCost(works: readonly MergeWork[]): MergeCost {
  const { cpuMs, memoryMb } = mergeCost(works);
  const files = works.reduce((sum, work) => sum + work.files, 0);
  const bytes = works.reduce((sum, work) => sum + work.bytes, 0);
  return { cpuMs: cpuMs + files * fetchMs, memoryMb: memoryMb + bytes / 1e6 };
}
