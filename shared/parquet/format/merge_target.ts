/** Sizes and codec of a file that is written. */
export interface MergeTarget {
  /** Bytes at which a row group is closed, compressed. */
  rowGroupBytes: number;
  /** Bytes at which a page is cut, before compression. */
  pageBytes: number;
  codec: "snappy" | "zstd";
  /** Whether healthy row groups are copied as they are, in the codec and sizes that they have. @default true */
  copies?: boolean;
}
