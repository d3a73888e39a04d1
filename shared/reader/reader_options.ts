import type { ReaderCodecs } from "./decode/reader_host.ts";
import type { ScanLimits } from "./scan/limits.ts";
import type { ReaderSession } from "./service/reader_session.ts";

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
