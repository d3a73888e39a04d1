/**
 * The uploader: what is given to it is on disk (or in IndexedDB) before it is sent, is sent until the
 * service has it, and is never sent twice for nothing. The same on Deno, Node and in browsers; the
 * medium makes the difference.
 *
 * @example
 * ```ts
 * const uploader = await createUploader({
 *   url: "https://PROJECT.supabase.co/functions/v1",
 *   session: supabaseSession(supabase.auth),
 *   medium: await diskMedium("pending_uploads"),
 * });
 * uploader.start();
 * const done = await uploader.upload(bytes, { kind: "fragment", dataset_id, table: "battle" });
 * ```
 */
import { SedimentError } from "../errors.ts";
import type { ResumableSender, SendProgress } from "./attempt.ts";
import type { BatchReport } from "./batch_report.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Fetch } from "./exchange.ts";
import { createSay, type Log, silentLog } from "./log.ts";
import type { ByteSource, PendingMedium } from "./pending_medium.ts";
import type { PendingItem } from "./pending_record.ts";
import { PendingStore } from "./pending_store.ts";
import { noteNameOf, RetryService } from "./retry_service.ts";
import { sendItem } from "./send_item.ts";
import type { Session } from "./session.ts";
import { SignedInUser } from "./signed_in_user.ts";
import { checkSettings } from "./check_settings.ts";
import type { UploaderSettingsInput } from "./settings.ts";
import { startTriggers } from "./triggers.ts";
import { checkMeta, type UploadMetaInput } from "./upload_meta.ts";
import type { Reason, StoredAnswer } from "./verdict.ts";

/** Options of {@link createUploader}. */
export interface UploaderOptions {
  /** Where the functions are: `https://PROJECT.supabase.co/functions/v1`. */
  url: string;
  medium: PendingMedium;
  session: Session;
  /** Sent as `apikey`. */
  publishableKey?: string;
  settings?: UploaderSettingsInput;
  /** @default nothing is logged */
  log?: Log;
  /** @default globalThis.fetch */
  fetch?: Fetch;
  /** @default the machine's clock */
  clock?: Clock;
  /** For large bodies; see send_tus.ts. */
  resumable?: ResumableSender;
}

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

/** See {@link createUploader}. */
export interface Uploader {
  /**
   * Saves and sends.
   *
   * @throws `invalid_request`, `empty_file`, `pending_full`, `pending_unusable`: then nothing was kept;
   *   `aborted` when the signal fired (`extra.id` when the item was saved before)
   */
  upload(
    source: ByteSource,
    meta: UploadMetaInput,
    options?: UploadOptions,
  ): Promise<UploadOutcome>;
  /** Starts the triggers: start-up, session, interval, online. */
  start(): void;
  /** Sends what is pending now, whatever the waiting times say. */
  retry(): Promise<BatchReport>;
  /** Waiting, parked and being sent, oldest first. */
  pending(): Promise<PendingItem[]>;
  /** Dead and expired, oldest first. */
  dead(): Promise<PendingItem[]>;
  /** The bytes of an item, for export. */
  bytes(id: string): Promise<Uint8Array>;
  /** Gives dead and expired items a new life. Answers those that have one. */
  requeue(ids: string[]): Promise<string[]>;
  /** Takes items back for good. Answers those that were there. */
  drop(ids: string[]): Promise<string[]>;
  /** Where the retry service is. */
  state(): ReturnType<RetryService["view"]>;
  /** Bytes and items kept. */
  usage(): { bytes: number; items: number };
  /** Ends the triggers and what is under way; items stay pending. */
  stop(): Promise<void>;
}

/** Makes an uploader on a medium, and puts right what an earlier crash left there. */
export async function createUploader(options: UploaderOptions): Promise<Uploader> {
  const { medium, session, publishableKey, resumable } = options;
  const clock = options.clock ?? systemClock;
  const settings = checkSettings(options.settings ?? {});
  const say = createSay(options.log ?? silentLog, () => clock.now());
  const base = options.url.replace(/\/+$/, "");
  const fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const watchers = new Map<string, { signal?: AbortSignal; onProgress?(p: SendProgress): void }>();

  const store = new PendingStore({ medium, clock, settings, say });
  const service = new RetryService({
    store,
    session,
    settings,
    clock,
    say,
    origin: new URL(base).origin,
    send: (item, bytes, credential, signal) => {
      const watcher = watchers.get(item.id);
      return sendItem(item, bytes, {
        fetch,
        clock,
        settings: settings.upload,
        token: credential.token,
        publishableKey,
        resumable,
        signal: watcher?.signal ? AbortSignal.any([signal, watcher.signal]) : signal,
        onProgress: watcher?.onProgress,
      });
    },
  });
  await service.open();
  const userNote = noteNameOf("user", base);
  const user = new SignedInUser({
    session,
    clock,
    note: {
      read: () => store.readNote(userNote),
      write: (value) => store.writeNote(userNote, value),
    },
  });
  let endTriggers: (() => void) | null = null;

  async function upload(
    source: ByteSource,
    metaInput: UploadMetaInput,
    options: UploadOptions = {},
  ): Promise<UploadOutcome> {
    const { signal, onProgress, headers } = options;
    const meta = checkMeta(metaInput);
    throwIfAborted(signal);
    onProgress?.({ phase: "saving" });
    const userId = await user.id();
    const targetUrl = `${base}/${meta.kind === "asset" ? "asset-sync" : "battle-data"}/upload`;
    const saved = await store.save(source, { targetUrl, meta, headers, userId });
    const { id } = saved.item;
    const duplicate = saved.status === "duplicate";
    onProgress?.({ phase: "saved", id, duplicate });
    if (saved.item.state === "dead") return ended(saved.item, duplicate);
    if (options.sendNow === false) return waiting(id, duplicate, saved.item.last_error);
    // One that is pending already keeps its own pace: the app that saves it again and again must not
    // make requests again and again.
    if (duplicate) return waiting(id, true, saved.item.last_error);
    throwIfAborted(signal, id);
    watchers.set(id, {
      signal,
      onProgress: onProgress && ((progress) => onProgress({ phase: "sending", id, ...progress })),
    });
    try {
      const tried = await service.tryNow(id);
      throwIfAborted(tried.end === "stopped" ? signal : undefined, id);
      if (tried.end === "stored") {
        onProgress?.({ phase: "stored", id });
        return { status: "stored", id, duplicate: tried.duplicate, answer: tried.answer };
      }
      if (tried.end === "dead" && tried.item) return ended(tried.item, duplicate);
      return waiting(id, duplicate, tried.end === "taken" ? null : tried.reason);
    } finally {
      watchers.delete(id);
    }
  }

  const list = async (dead: boolean) =>
    (await store.list()).filter(({ state }) => (state === "dead" || state === "expired") === dead);

  return {
    upload,
    retry: () => service.trigger("manual"),
    pending: () => list(false),
    dead: () => list(true),
    state: () => service.view(),
    usage: () => store.usage(),
    start() {
      endTriggers ??= startTriggers({
        trigger: (trigger) => service.trigger(trigger),
        signedOut: () => service.signedOut(),
        session,
        clock,
        intervalSeconds: settings.retry.interval_seconds,
      });
    },
    async bytes(id) {
      const item = await store.get(id);
      if (!item) throw new SedimentError("not_found", `there is no pending item ${id}`);
      return await (await store.bytes(item)).read();
    },
    async requeue(ids) {
      const done: string[] = [];
      for (const id of ids) {
        const item = await store.get(id);
        if (!item || item.last_error?.code === "record_unreadable") continue; // nobody knows where to
        if ((await store.apply(id, "requeue"))?.state !== "waiting") continue;
        say("requeued", { id });
        done.push(id);
      }
      return done;
    },
    async drop(ids) {
      const done: string[] = [];
      for (const id of ids) {
        const item = await store.get(id);
        if (!item) continue;
        await store.apply(id, "drop");
        say("dropped", { id, was: item.state, why: "by hand" });
        done.push(id);
      }
      return done;
    },
    async stop() {
      endTriggers?.();
      endTriggers = null;
      await service.stop();
      await store.close();
    },
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
