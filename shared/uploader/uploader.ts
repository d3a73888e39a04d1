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
import type { ResumableSender } from "./send/attempt.ts";
import type { BatchReport } from "./retry/batch_report.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { Fetch } from "./send/exchange.ts";
import { createSay, type Log, silentLog } from "./log.ts";
import type { ByteSource, PendingMedium } from "./pending/pending_medium.ts";
import type { PendingItem } from "./pending/pending_record.ts";
import { PendingStore } from "./pending/pending_store.ts";
import { authHoldNameOf } from "./retry/auth_hold.ts";
import { RetryService } from "./retry/retry_service.ts";
import { ServiceLimits } from "./limits/service_limits.ts";
import { xhrFetch } from "./send/xhr_fetch.ts";
import { sendRenewed } from "./send/send_renewed.ts";
import { sendItem } from "./send/send_item.ts";
import type { Credential, Session } from "./session/session.ts";
import { SignedInUser } from "./session/signed_in_user.ts";
import { checkSettings } from "./settings/check_settings.ts";
import type { UploaderSettingsInput } from "./settings/settings.ts";
import { startTriggers } from "./retry/triggers.ts";
import {
  createUpload,
  type Evicted,
  type UploadOptions,
  type UploadOutcome,
  type Watchers,
} from "./upload.ts";
import type { UploadMetaInput } from "./upload_meta.ts";

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

/** See {@link createUploader}. */
export interface Uploader {
  /**
   * Saves and sends.
   *
   * @throws `invalid_request`, `empty_file`, `body_too_large`, `pending_full`, `pending_unusable`: then nothing was kept;
   *   `aborted` when the signal fired (`extra.id` when the item was saved before)
   */
  upload(
    source: ByteSource,
    meta: UploadMetaInput,
    options?: UploadOptions,
  ): Promise<UploadOutcome & Evicted>;
  /** Starts the triggers: start-up, session, interval, online. */
  start(): void;
  /**
   * Sends what is pending now, whatever the waiting times say; with `dueOnly`, as they say. The signal ends
   * the batch: what is under way stays pending, unspent.
   */
  retry(options?: { dueOnly?: boolean; signal?: AbortSignal }): Promise<BatchReport>;
  /** All items, in one look, oldest first. */
  items(): Promise<PendingItem[]>;
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
  const watchers: Watchers = new Map();
  // Who brings a fetch of their own wants all requests to go by it.
  const countingFetch = options.fetch ? undefined : xhrFetch() ?? undefined;

  const store = new PendingStore({ medium, clock, settings, say });
  const service = new RetryService({
    store,
    session,
    settings,
    clock,
    say,
    origin: new URL(base).origin,
    send: (item, bytes, credential, signal, onBegun) => {
      const watcher = watchers.get(item.id);
      const sendWith = (credential: Credential) =>
        sendItem(item, bytes, {
          fetch,
          countingFetch,
          clock,
          settings: settings.upload,
          credential,
          publishableKey,
          resumable,
          signal: watcher?.signal ? AbortSignal.any([signal, watcher.signal]) : signal,
          onProgress: watcher?.onProgress,
          onBegun,
        });
      return sendRenewed(session, credential, sendWith);
    },
  });
  await service.open();
  const userNote = authHoldNameOf("user", base);
  const user = new SignedInUser({
    session,
    clock,
    note: {
      read: () => store.readNote(userNote),
      write: (value) => store.writeNote(userNote, value),
    },
  });
  const limitsNote = authHoldNameOf("limits", base);
  const limits = new ServiceLimits({
    base,
    fetch,
    clock,
    publishableKey,
    settings,
    note: {
      read: () => store.readNote(limitsNote),
      write: (value) => store.writeNote(limitsNote, value),
    },
  });
  const upload = createUpload({ base, store, service, user, limits, watchers });
  let endTriggers: (() => void) | null = null;

  const list = async (dead: boolean) =>
    (await store.list()).filter(({ state }) => (state === "dead" || state === "expired") === dead);

  return {
    upload,
    retry: ({ dueOnly = false, signal } = {}) =>
      service.trigger(dueOnly ? "interval" : "manual", signal),
    items: () => store.list(),
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
