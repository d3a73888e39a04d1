import type { ReaderCodecs } from "./decode/reader_host.ts";
import type { ScanLimits } from "./scan/limits.ts";
import type { FileQuery } from "./service/manifest.ts";
import type { ReaderSession } from "./service/reader_session.ts";
import type { Where } from "./where/where.ts";

/** What a dataset is opened with. */
export interface DatasetOptions {
  /** The project's URL, `https://REF.supabase.co`. */
  url: string;
  /** The project's publishable key, which hosted projects ask for. */
  key?: string;
  /** Who reads: an access token, or what gives the one of now. */
  session: ReaderSession | string;
  datasetId: string;
  /** A kept version. @default the newest, which stays the one that is read */
  version?: number;
  /** Where the functions are. @default `functions/v1` of the project */
  functionsUrl?: string;
  /** Milliseconds without a byte after which a request is given up, and tried once more. @default 30,000 */
  deadlineMs?: number;
  /** Milliseconds before a request is tried once more. @default 500 */
  pauseMs?: number;
  /** Decompressors that the runtime lacks. */
  codecs?: ReaderCodecs;
  /** Sizes; each has a default. */
  limits?: Partial<ScanLimits>;
  /** @default the runtime's */
  fetch?: typeof fetch;
  /** Ends the opening. */
  signal?: AbortSignal;
}

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
