import type { ErrorCode } from "../../errors.ts";

/** A file that was left out, or not read to its end. */
export interface LeftOut {
  /** Its id in the manifest. */
  file: number;
  code: ErrorCode;
  message: string;
  /** Rows of it that the file is said to have. */
  rows: number;
  /** Rows of it that had been given when it turned out to be broken. */
  rowsGiven: number;
}

/** What a scan has done so far. */
export interface ScanReport {
  /** Files that the manifest listed. */
  files: number;
  /** Of them, those that the statistics ruled out. */
  filesPruned: number;
  /** Files that were left out because they can't be read; only with `unreadable: "skip"`. */
  leftOut: LeftOut[];
  /** Row groups of the files that were opened, and those that their statistics ruled out. */
  groups: number;
  groupsPruned: number;
  /** Rows that were decoded, and those that were given. */
  rowsRead: number;
  rowsGiven: number;
  /** Requests for bytes of files, tries again included, and the bytes that they gave. */
  requests: number;
  bytesRead: number;
}

/** Nothing yet. */
export function emptyReport(): ScanReport {
  return {
    files: 0,
    filesPruned: 0,
    leftOut: [],
    groups: 0,
    groupsPruned: 0,
    rowsRead: 0,
    rowsGiven: 0,
    requests: 0,
    bytesRead: 0,
  };
}
