import type { KernelLimits } from "../../kernels/kernels.ts";
import { codec } from "../../format/metadata.ts";
import { healthyGroupBytes, MiB } from "../../format/healthy_group.ts";
import type { MergeTarget } from "../../format/merge_target.ts";

/** Sizes that decide how a merge goes; each has a default that fits an isolate of 256 MB. */
export interface MergeSettings {
  /** codec.SNAPPY or codec.ZSTD. */
  codec: number;
  /** Compressed bytes at which a row group is closed. */
  rowGroupBytes: number;
  /** Rows at which a row group is closed. */
  rowGroupRows: number;
  /**
   * Rows after which a page is cut, so that page indexes are worth reading: 20 of DuckDB's vectors of 2,048 rows,
   * as one that lies on two pages is read in parts. With the 20,000 of other writers it scans 3 to 5 % slower.
   */
  pageRows: number;
  /** Bytes of values after which a page is cut. */
  pageBytes: number;
  /** Row groups of this size or more are copied when nothing in them changes. */
  healthyBytes: number;
  /** Files up to this size are read whole, and appended as one transaction. */
  wholeFileBytes: number;
  /** Reads under way or waiting to be merged at once. */
  readsAhead: number;
  /** Bytes of them. */
  aheadBytes: number;
  /** Bytes of a range read inside of a large file. */
  windowBytes: number;
  /** Compressed bytes from which on a row group is merged in slices of its rows: all of its output would wait in memory. */
  mergeGroupBytes: number;
  /** Rows that are sorted at once, those of an output as a rule; they wait in memory. */
  sortRows: number;
  /** Of them, rows that are packed at once. */
  parkRows: number;
  /** Bytes of them, packed, and what the kernels hold beside; unpacked, one column's come on top. */
  sortBytes: number;
  kernels: KernelLimits;
}

/** The settings for a target, with some replaced. */
export function mergeSettings(
  target: MergeTarget,
  kernels: Partial<KernelLimits>,
  some: Partial<MergeSettings> = {},
): MergeSettings {
  return {
    codec: target.codec === "zstd" ? codec.ZSTD : codec.SNAPPY,
    rowGroupBytes: target.rowGroupBytes,
    rowGroupRows: 1_000_000,
    pageRows: 40_960,
    pageBytes: target.pageBytes,
    healthyBytes: target.copies === false ? Infinity : healthyGroupBytes,
    wholeFileBytes: 4 * MiB,
    readsAhead: 8,
    aheadBytes: 8 * MiB,
    windowBytes: 2 * MiB,
    mergeGroupBytes: 20 * MiB,
    sortRows: 1_000_000,
    parkRows: 8_192,
    sortBytes: 64 * MiB,
    kernels: {
      memoryBytes: 112 * MiB,
      pageBytes: 64 * MiB,
      pageValues: 16 * MiB,
      ...kernels,
    },
    ...some,
  };
}
