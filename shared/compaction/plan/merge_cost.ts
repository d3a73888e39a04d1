/** What a merge will cost, from what the catalog knows of its inputs. */
import { costCoefficients } from "./cost_coefficients.ts";
import { costFactors } from "./cost_factors.ts";
import { type MergeWork, outputBytes } from "./merge_work.ts";

/** What a merge costs. */
export interface MergeCost {
  /** CPU of the isolate in ms. */
  cpuMs: number;
  /** Peak resident memory of the isolate in MB (10^6 bytes), what Deno takes before a merge counted. */
  memoryMb: number;
  /** Of the CPU what a process pays once, by its name: a later output of the same process does not have it again. */
  onceMs?: Readonly<Record<string, number>>;
}

/** Coefficients of what a process pays once: the compiler's start, and modules that are opened. */
const once = ["fixedMs", "zstdMs", "decodeMs"];

/** Ms of CPU for fetching an object over HTTP beside reading it from a disk, and for each of its bytes. */
const fetchMs = 0.15, fetchByteMs = 1e-6;

/**
 * What leaving rows out costs beyond joining pages, since its rows are gathered by a permutation: ms and MB once, ms for a
 * value and for each byte past `narrow` of it before compression, MB for a byte of the heaviest page. The fit does not know such merges.
 * Of the bench's files (`bench merge --filter`), a twentieth of the rows left out of each row group, measured at a load of 18:
 * 15.5 million values in 56 MB took 711 ms (690 to 700 predicted) and 118 MB, 250,000 texts of 32 bytes 273 ms and 157 MB,
 * 500,000 small integers 87 ms and 80 MB; copying the first takes 64 ms.
 */
const filter = {
  ms: 40,
  valueMs: 1.2e-5,
  narrow: 4,
  wideByteMs: 1.2e-5,
  mb: 8,
  pageByteMb: 1e-6,
};

function filterCost({ filtered, joinedPage }: MergeWork) {
  const { chunks, values, bytes, plainBytes } = filtered;
  if (chunks === 0) return { ms: 0, mb: 0 };
  const wide = Math.max(0, Math.min(plainBytes - values * filter.narrow, 2 * bytes));
  return {
    ms: filter.ms + values * filter.valueMs + wide * filter.wideByteMs,
    mb: filter.mb + joinedPage * filter.pageByteMb,
  };
}

/** The cost of one merge whose reads cost nothing, and whose output is not held in memory. */
export function mergeCost(work: MergeWork): MergeCost {
  const { cpu, memory } = costFactors(work);
  const filtered = filterCost(work);
  const paid = Object.entries(cpu).filter(([name, times]) => once.includes(name) && times > 0);
  return {
    cpuMs: sum(cpu) + filtered.ms,
    memoryMb: sum(memory) + filtered.mb,
    onceMs: Object.fromEntries(paid.map((one) => [one[0], sum(Object.fromEntries([one]))])),
  };
}

function sum(factors: Record<string, number>): number {
  const per: Record<string, number> = costCoefficients;
  return Object.entries(factors).reduce((total, [name, times]) => total + per[name] * times, 0);
}

/**
 * MB that fetching takes beyond reading from a disk, and most MB of files that wait to be read: `openReaders` fetches some
 * ahead, the merge has asked for others, and each has a copy on its way (`bench merge --turn`).
 */
const fetchMb = 12;
const ahead = { files: 16, bytes: 16 * 1024 * 1024, largestFile: 1024 * 1024, copies: 2 };

/**
 * What a chunk of a row group behind its file's first one costs by its place in the footer: ms, and MB while the file is
 * merged. The fit does not show it, since its files have few row groups. A file of 6,000 chunks took 40 ms to parse and
 * check and 22 to 40 ms to decode; `columnChunks` of the limits has the bytes.
 */
const furtherChunkMs = 0.01, furtherChunkMb = 0.0015;

/** Bytes of files that are there at once, whose footers are parsed (`aheadBytes` of the merge). */
const openBytes = 8_400_000;

/** What an output that is streamed holds at most: the parts that the S3 store fills, sends and reads at once. */
const streamedBytes = 4 * 5 * 1024 * 1024;

/**
 * The cost of one output of a turn, whose inputs come over HTTP (`bench merge --turn`).
 *
 * @param streams whether the store takes the output piece by piece; else it is held until it is put
 */
export function outputCost(work: MergeWork, streams: boolean): MergeCost {
  const { cpuMs, memoryMb, onceMs } = mergeCost(work);
  const written = outputBytes(work);
  const heldBytes = streams ? Math.min(written, streamedBytes) : written;
  const openShare = Math.min(1, openBytes / Math.max(1, work.bytes));
  const openChunks = Math.max(work.furthestChunks, work.furtherChunks * openShare);
  const mean = work.bytes / Math.max(1, work.files);
  const aheadBytes = mean > ahead.largestFile
    ? 0
    : ahead.copies * Math.min(work.bytes, ahead.files * mean, ahead.bytes);
  return {
    cpuMs: cpuMs + work.files * fetchMs + work.bytes * fetchByteMs +
      work.furtherChunks * furtherChunkMs,
    memoryMb: memoryMb + fetchMb + (heldBytes + aheadBytes) / 1e6 + openChunks * furtherChunkMb,
    onceMs,
  };
}
