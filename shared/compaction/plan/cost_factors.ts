/**
 * What a merge's cost is made of: how often each of the costs that `deno task bench merge --fit` measures arises.
 * The prediction and the fit both go by these.
 */
import type { MergeWork } from "./merge_work.ts";

/** Factors by the names of their coefficients. */
export interface CostFactors {
  /** In ms each. */
  cpu: Record<string, number>;
  /** In MB each. */
  memory: Record<string, number>;
}

/** Bytes that are in memory at once at the most. */
const most = {
  /** Files that were read and wait for their turn (`aheadBytes` of the merge). */
  ahead: 8_400_000,
  /** What waits in one column until it makes a page: values (`pageRows` of the merge), and their bytes. */
  columnValues: 40_000,
  columnBytes: 500_000,
  /** What the host unpacked and its collector has not yet taken back. */
  unpacked: 28_000_000,
  /** Of what is unpacked to sort by, and a column at a time to be written. */
  sort: 60_000_000,
  /** Chunks written anew, compressed again. */
  decoded: 42_000_000,
};

/**
 * Files and columns until the code that takes them has been compiled well, and what it keeps of them has grown; bytes of
 * rows to be sorted that find room in what other steps of the merge have left.
 */
const early = { files: 500, columns: 150, sorted: 35_000_000 };

/** Values of a column that wait with a table to find them by, until it settles on a dictionary or PLAIN. */
const unsettledValues = 16_000;

/** The factors of one merge. */
export function costFactors(work: MergeWork): CostFactors {
  const { files, leaves, unpacked, sorts, writesZstd, hostGzip } = work;
  const { copy, check, pages, decode } = work.paths;
  const copied = copy.chunks + check.chunks;
  const joined = {
    chunks: pages.chunks + decode.chunks,
    values: pages.values + decode.values,
    bytes: pages.bytes + decode.bytes,
    plainBytes: pages.plainBytes + decode.plainBytes,
  };
  const lateColumns = Math.max(0, leaves - early.columns);
  const once = (is: boolean) => is ? 1 : 0;
  return {
    cpu: {
      fixedMs: 1,
      columnMs: Math.min(leaves, early.columns),
      lateColumnMs: lateColumns,
      fileMs: files,
      earlyFileMs: Math.min(files, early.files),
      chunkMs: joined.chunks,
      valueMs: joined.values,
      byteMs: joined.bytes,
      plainByteMs: joined.plainBytes,
      pageByteMs: work.joinedPages,
      copyChunkMs: copied,
      copyByteMs: copy.bytes + check.bytes,
      checkByteMs: check.plainBytes,
      sortValueMs: sorts ? joined.values : 0,
      zstdMs: once(writesZstd), // what is read the kernels unpack, without a start
      zstdByteMs: unpacked.zstd,
      zstdWrittenByteMs: writesZstd ? joined.plainBytes : 0,
      gzipByteMs: hostGzip ? unpacked.gzip : 0,
      ownGzipByteMs: hostGzip ? 0 : unpacked.gzip,
      brotliByteMs: unpacked.brotli,
      decodeMs: once(decode.chunks > 0),
      decodeChunkMs: decode.chunks,
      decodeByteMs: decode.plainBytes,
    },
    memory: {
      fixedMb: 1,
      columnMb: Math.min(leaves, early.columns),
      lateColumnMb: lateColumns,
      lateValueMb: lateColumns * Math.min(unsettledValues, joined.values / Math.max(1, leaves)),
      fileMb: files,
      aheadByteMb: Math.min(joined.bytes, most.ahead),
      waitingValueMb: Math.min(joined.values, leaves * most.columnValues),
      waitingByteMb: Math.min(joined.plainBytes, leaves * most.columnBytes),
      unpackedByteMb: Math.min((hostGzip ? unpacked.gzip : 0) + unpacked.brotli, most.unpacked),
      openByteMb: Math.min(joined.bytes, work.openBytes),
      checkedPageByteMb: work.checkedPage,
      pageByteMb: work.joinedPage,
      pagesByteMb: work.joinedPages,
      copyMb: once(copied > 0),
      copyChunkMb: copied,
      sortByteMb: sorts ? Math.min(joined.plainBytes, most.sort) : 0,
      lateSortByteMb: sorts ? Math.max(0, joined.plainBytes - early.sorted) : 0,
      zstdMb: once(writesZstd),
      decodeMb: once(decode.chunks > 0),
      decodeFileByteMb: Math.min(work.decodedFile, most.decoded),
      decodeChunkByteMb: work.decodedChunk,
    },
  };
}
