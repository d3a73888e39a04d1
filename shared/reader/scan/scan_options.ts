import type { FileQuery } from "../service/manifest.ts";
import type { Where } from "../where/where.ts";

/** What is read of a table. */
export interface ScanOptions extends Omit<FileQuery, "table"> {
  table: string;
  /** Names of columns, whose order is the table's. @default all */
  columns?: readonly string[];
  /** Which rows. @default all */
  where?: Where;
  /**
   * A file that can't be read, because it is lost, broken, of types that fit no others, or marked so by the service:
   * `error` ends the scan, `skip` leaves it out and tells of it in the report. @default "error"
   */
  unreadable?: "error" | "skip";
  /** Ends the scan. */
  signal?: AbortSignal;
}
