/** What one attempt is made with, and what its requests carry. */
import type { Clock } from "../../clock.ts";
import type { ExchangeTools, Fetch } from "./exchange.ts";
import type { PendingItem, StartedUpload } from "../pending/pending_record.ts";
import type { StoredBytes } from "../pending/pending_medium.ts";
import type { Credential } from "../session/session.ts";
import type { UploaderSettings } from "../settings/settings.ts";
import type { CountingFetch } from "./xhr_fetch.ts";
import type { Verdict } from "./verdict.ts";

/** How far an attempt is. Bytes count as they leave in browsers and in resumable uploads; elsewhere at the end. */
export interface SendProgress {
  sent: number;
  total: number;
}

/** Sends large bodies resumably; see send_tus.ts. */
export type ResumableSender = (
  item: PendingItem,
  bytes: StoredBytes,
  attempt: Attempt,
) => Promise<Verdict>;

/** What one attempt is made with. */
export interface Attempt {
  fetch: Fetch;
  clock: Clock;
  settings: UploaderSettings["upload"];
  /** What a request to the service is authorised with. */
  credential: Pick<Credential, "token" | "headers">;
  /** `apikey` for Supabase's gateway. */
  publishableKey?: string;
  signal: AbortSignal;
  onProgress?: (progress: SendProgress) => void;
  /** Told of a direct upload before its bytes leave, to be written down: a crash then resumes it. */
  onBegun?: (upload: StartedUpload) => Promise<void>;
  resumable?: ResumableSender;
  /** See xhr_fetch.ts. */
  countingFetch?: CountingFetch;
}

/** Tells of the bytes of an item's body as they leave. */
export function onSentOf(
  item: PendingItem,
  attempt: Attempt,
): ((bytes: number) => void) | undefined {
  const { onProgress } = attempt;
  if (!onProgress) return undefined;
  // Of a form the fields around the file count too.
  return (bytes) => onProgress({ sent: Math.min(bytes, item.size), total: item.size });
}

/** The tools of an attempt's exchanges. */
export function exchangeTools(attempt: Attempt): ExchangeTools {
  const { timeout_seconds, slowest_bytes_per_second } = attempt.settings;
  return {
    fetch: attempt.fetch,
    countingFetch: attempt.countingFetch,
    clock: attempt.clock,
    signal: attempt.signal,
    timeoutMs: (bytes) => (timeout_seconds + bytes / slowest_bytes_per_second) * 1000,
  };
}

/** How long a claim may hold an item: every request of an attempt at its slowest, twice over. */
export function holdMs(size: number, settings: UploaderSettings["upload"]): number {
  const body = size / settings.slowest_bytes_per_second;
  return 1000 * (2 * (2 * settings.timeout_seconds + body) + 30);
}

/**
 * Headers of a request: the item's own, and credentials, only to the origin that they were set for. A signed URL of
 * another one (the store) gets neither.
 */
export function headersFor(
  url: string,
  item: PendingItem,
  attempt: Attempt,
  more: Record<string, string>,
): Record<string, string> {
  const headers: Record<string, string> = { ...more };
  if (new URL(url).origin === new URL(item.target_url).origin) {
    Object.assign(headers, item.headers, more);
    if (attempt.publishableKey) headers.apikey = attempt.publishableKey;
    const { token, headers: own } = attempt.credential;
    Object.assign(headers, own ?? { authorization: `Bearer ${token}` });
  }
  return headers;
}

/** Where an item's first request goes: with what the settings ask of the service beside the item's own fields. */
export function targetOf(item: PendingItem, attempt: Attempt): URL {
  const url = new URL(item.target_url);
  if (attempt.settings.own_dataset && item.context.kind !== "asset") {
    url.searchParams.set("own_dataset", "1");
  }
  return url;
}

/** The fields of the first request. */
export function fieldsOf(item: PendingItem): Record<string, unknown> {
  const { context } = item;
  const common = { file_size: item.size, content_hash: item.content_hash };
  if (context.kind === "asset") {
    const { key, relative_path, file_name, content_type } = context;
    return { key, relative_path, file_name, content_type, ...common };
  }
  const { dataset_id, table, period_tag, table_offsets, format } = context;
  return { dataset_id, table, period_tag, ...common, table_offsets, format };
}
