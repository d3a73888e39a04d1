/** Sizes that bound a scan's memory and requests; bytes where nothing else is said. */
export interface ScanLimits {
  /** Most rows of a batch. @default 65,536 */
  batchRows: number;
  /** Decoded values of a batch, about. @default 16 MiB */
  batchBytes: number;
  /** Files up to this size are read whole, by one request. @default 256 KiB */
  wholeFileBytes: number;
  /** The same where all of the columns are read. @default 1 MiB */
  wholeScanBytes: number;
  /** Read at the end of other files, for the footer. @default 64 KiB */
  tailBytes: number;
  /** Gaps between chunks up to this size are read along. @default 64 KiB */
  gapBytes: number;
  /** Row groups whose chunks take more are read in windows as they are decoded. @default 16 MiB */
  groupBytes: number;
  /** What may be fetched, or under way, before it is decoded. @default 32 MiB */
  aheadBytes: number;
  /** Most files and row groups of it. @default 8 */
  aheadCount: number;
  /**
   * Most memory of the decoder, at most 1 GiB. It holds a page of every column at least, and some writers (DuckDB) make
   * one page of a row group's column. @default 512 MiB
   */
  decoderBytes: number;
}

const KiB = 1024, MiB = 1024 * KiB;

export const defaultLimits: Readonly<ScanLimits> = Object.freeze({
  batchRows: 65_536,
  batchBytes: 16 * MiB,
  wholeFileBytes: 256 * KiB,
  wholeScanBytes: MiB,
  tailBytes: 64 * KiB,
  gapBytes: 64 * KiB,
  groupBytes: 16 * MiB,
  aheadBytes: 32 * MiB,
  aheadCount: 8,
  decoderBytes: 512 * MiB,
});
