/** What browser_test.ts runs inside Chromium: the uploader on IndexedDB, reachable as `window.uploads`. */
import { checkSettings } from "../../../shared/uploader/settings/check_settings.ts";
import { systemClock } from "../../../shared/clock.ts";
import { indexedDbMedium } from "../../../shared/uploader/pending/media/indexeddb_medium.ts";
import { createSay, type LogEvent } from "../../../shared/uploader/log.ts";
import type { ItemEvent } from "../../../shared/uploader/transitions.ts";
import { PendingStore } from "../../../shared/uploader/pending/pending_store.ts";
import { tokenSession } from "../../../shared/uploader/session/session.ts";
import type { UploaderSettingsInput } from "../../../shared/uploader/settings/settings.ts";
import { checkMeta, type UploadMetaInput } from "../../../shared/uploader/upload_meta.ts";
import { createUploader, type Uploader } from "../../../shared/uploader/uploader.ts";

const log: LogEvent[] = [];
let store: PendingStore | null = null;
let uploader: Uploader | null = null;
const target = `${location.origin}/functions/v1/battle-data/upload`;
const filled = (size: number, seed: number) => new Uint8Array(size).fill(seed);

const uploads = {
  log,
  async open(settings: UploaderSettingsInput = {}) {
    const medium = await indexedDbMedium();
    const say = createSay((event) => log.push(event), Date.now);
    store = new PendingStore({
      medium,
      clock: systemClock,
      settings: checkSettings(settings),
      say,
    });
  },
  async save(meta: UploadMetaInput, size: number, seed: number, how: "bytes" | "blob" | "stream") {
    const bytes = filled(size, seed);
    const blob = new Blob([bytes]);
    const source = how === "bytes" ? bytes : how === "blob" ? blob : blob.stream();
    const { status, item } = await store!.save(source, {
      targetUrl: target,
      meta: checkMeta(meta),
    });
    return { status, id: item.id, hash: item.content_hash, size: item.size };
  },
  list: () => store!.list(),
  claim: (id: string) => store!.claim(id, 3_600_000),
  apply: (id: string, event: ItemEvent) => store!.apply(id, event),
  async bytes(id: string) {
    const item = await store!.get(id);
    const stored = await store!.bytes(item!);
    return [...(await stored.slice(0, 3)), ...(await stored.slice(stored.size - 2, stored.size))];
  },
  /** Writes into the database behind the store's back. */
  async vandalise(storeName: string, id: string, value: unknown) {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open("sediment-pending");
      opening.onsuccess = () => resolve(opening.result);
    });
    await new Promise<void>((resolve) => {
      const transaction = db.transaction([storeName], "readwrite");
      const rows = transaction.objectStore(storeName);
      if (value === undefined) rows.delete(id);
      else rows.put(value, id);
      transaction.oncomplete = () => resolve();
    });
    db.close();
  },
  async startUploader() {
    uploader = await createUploader({
      url: `${location.origin}/functions/v1`,
      medium: await indexedDbMedium(),
      session: tokenSession("token-1"),
      log: (event) => log.push(event),
    });
    uploader.start();
  },
  upload: (meta: UploadMetaInput, size: number, seed: number) =>
    uploader!.upload(new Blob([filled(size, seed)]), meta),
  state: () => uploader!.state(),
  pending: () => uploader!.pending(),
};

export type BrowserUploads = typeof uploads;
(globalThis as unknown as { uploads: BrowserUploads }).uploads = uploads;
