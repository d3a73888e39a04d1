/** One upload: checked, saved, and tried at once where nothing speaks against it. */
import { SedimentError } from "../errors.ts";
import type { SendProgress } from "./send/attempt.ts";
import { checkHeaders } from "./send/check_headers.ts";
import type { ByteSource } from "./pending/pending_medium.ts";
import type { PendingItem } from "./pending/pending_record.ts";
import type { PendingStore, Saved } from "./pending/pending_store.ts";
import type { RetryService } from "./retry/retry_service.ts";
import type { ServiceLimits } from "./limits/service_limits.ts";
import type { SignedInUser } from "./session/signed_in_user.ts";
import { untilAborted } from "./pending/media/source_chunks.ts";
import { checkMeta, type UploadMetaInput } from "./upload_meta.ts";
import type { Reason } from "./reason.ts";
import type { StoredAnswer } from "./send/verdict.ts";

/** Options of one upload. */
export interface UploadOptions {
  /**
   * Ends the sending. What was saved stays pending and is sent later; `drop(id)` takes it back.
   */
  signal?: AbortSignal;
  onProgress?: (progress: UploadProgress) => void;
  /** More headers for the requests to the service. Credentials are not kept. */
  headers?: Record<string, string>;
  /** Only save; the retry service sends. @default true */
  sendNow?: boolean;
  /** Bytes of a source that doesn't say it by itself: what is too large is refused before it is copied. */
  size?: number;
}

/** How far an upload is. */
export type UploadProgress =
  | { phase: "saving" }
  | { phase: "saved"; id: string; duplicate: boolean }
  | ({ phase: "sending"; id: string } & SendProgress)
  | { phase: "stored"; id: string };

/** What an upload came to. Whatever it says, nothing is lost. */
export type UploadOutcome =
  /** The service has it. `duplicate`: it had it before. */
  | { status: "stored"; id: string; duplicate: boolean; answer: StoredAnswer | null }
  /** It is kept and will be sent. `duplicate`: this identity was pending already. */
  | { status: "pending"; id: string; duplicate: boolean; reason: Reason }
  /** The service refused it for good (or it was tried too often): see `dead()`. */
  | { status: "dead"; id: string; duplicate: boolean; reason: Reason };

/** What the quota did to make room, where `when_full` is "drop_oldest". */
export interface Evicted {
  /** Ids of the items that were dropped for this one; only there when some were. */
  dropped?: string[];
}

/** Who waits for the attempts at an item in this process: its signal, and its progress. */
export type Watchers = Map<string, { signal?: AbortSignal; onProgress?(p: SendProgress): void }>;

/** The parts of {@link createUpload}. */
export interface UploadParts {
  /** Where the functions are, without a slash at the end. */
  base: string;
  store: PendingStore;
  service: RetryService;
  user: SignedInUser;
  limits: ServiceLimits;
  watchers: Watchers;
}

/** Makes the `upload` of an uploader; uploader.ts has its contract. */
export function createUpload({ base, store, service, user, limits, watchers }: UploadParts) {
  return async function upload(
    source: ByteSource,
    metaInput: UploadMetaInput,
    options: UploadOptions = {},
  ): Promise<UploadOutcome & Evicted> {
    const { signal } = options;
    const meta = checkMeta(metaInput);
    const headers = checkHeaders(options.headers ?? {});
    const tell = quietly(options.onProgress);
    throwIfAborted(signal);
    tell({ phase: "saving" });
    const targetUrl = `${base}/${meta.kind === "asset" ? "asset-sync" : "battle-data"}/upload`;
    const draft = { targetUrl, meta, headers, userId: await user.id() };
    const size = options.size ??
      (source instanceof Uint8Array
        ? source.length
        : source instanceof Blob
        ? source.size
        : undefined);
    const admitted = await limits.admit(untilAborted(source, signal), size, meta);
    const saved = await store.save(admitted, draft).catch((thrown) => {
      throwIfAborted(signal);
      throw thrown;
    });
    const { id } = saved.item;
    const duplicate = saved.status === "duplicate";
    tell({ phase: "saved", id, duplicate });
    const outcome = await send(saved, options.sendNow ?? true, tell, signal);
    return saved.dropped.length > 0 ? { ...outcome, dropped: saved.dropped } : outcome;
  };

  async function send(
    { item, status }: Saved,
    now: boolean,
    tell: (progress: UploadProgress) => void,
    signal?: AbortSignal,
  ): Promise<UploadOutcome> {
    const { id } = item;
    const duplicate = status === "duplicate";
    if (item.state === "dead") return ended(item, duplicate);
    // One that is pending already keeps its own pace: the app that saves it again and again must not
    // make requests again and again.
    if (!now || duplicate) return waiting(id, duplicate, item.last_error);
    throwIfAborted(signal, id);
    watchers.set(id, {
      signal,
      onProgress: (progress) => tell({ phase: "sending", id, ...progress }),
    });
    try {
      const tried = await service.tryNow(id);
      throwIfAborted(tried.end === "stopped" ? signal : undefined, id);
      if (tried.end === "stored") {
        tell({ phase: "stored", id });
        return { status: "stored", id, duplicate: tried.duplicate, answer: tried.answer };
      }
      if (tried.end === "dead" && tried.item) return ended(tried.item, duplicate);
      return waiting(id, duplicate, tried.end === "taken" ? null : tried.reason);
    } finally {
      watchers.delete(id);
    }
  }
}

/** A listener that throws can't turn an upload that went well into one that did not. */
function quietly(onProgress: UploadOptions["onProgress"]): (progress: UploadProgress) => void {
  return (progress) => {
    try {
      onProgress?.(progress);
    } catch { /* its own trouble */ }
  };
}

function waiting(id: string, duplicate: boolean, reason: Reason | null): UploadOutcome {
  const none = { code: "pending", message: "it waits for the retry service" };
  return { status: "pending", id, duplicate, reason: reason ?? none };
}

function ended(item: PendingItem, duplicate: boolean): UploadOutcome {
  const reason = item.last_error ?? { code: "internal", message: "no reason was kept" };
  return { status: "dead", id: item.id, duplicate, reason };
}

function throwIfAborted(signal: AbortSignal | undefined, id?: string): void {
  if (!signal?.aborted) return;
  const kept = id ? "; it stays pending" : "; nothing was kept";
  throw new SedimentError("aborted", `the upload was stopped by its signal${kept}`, {
    cause: signal.reason,
    extra: id ? { id } : undefined,
  });
}
