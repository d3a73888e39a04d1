/** What most uploader tests begin with: a folder, a service, a session, an uploader that says what it does. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../../shared/clock.ts";
import { systemClock } from "../../../shared/clock.ts";
import { diskMedium } from "../../../shared/uploader/pending/media/disk_medium.ts";
import type { LogEvent, LogName } from "../../../shared/uploader/log.ts";
import type { PendingMedium } from "../../../shared/uploader/pending/pending_medium.ts";
import {
  type Session,
  type SessionEvent,
  tokenSession,
} from "../../../shared/uploader/session/session.ts";
import type { UploaderSettingsInput } from "../../../shared/uploader/settings/settings.ts";
import { createUploader, type Uploader } from "../../../shared/uploader/uploader.ts";
import type { UploadMetaInput } from "../../../shared/uploader/upload_meta.ts";
import { FakeService, type FakeServiceOptions } from "./fake_service.ts";

export const datasetId = "0b3f1c58-5b0f-4f0e-9d3e-6a1f0c2d4e5f";

/** A fragment of one table. */
export function fragment(table = "battle", more: Record<string, unknown> = {}): UploadMetaInput {
  return { kind: "fragment", dataset_id: datasetId, table, period_tag: "2024-11-25", ...more };
}

/** Bytes that differ by `seed`. */
export function bytesOf(seed: number, size = 1000): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let i = 0, x = seed * 2654435761 + 1; i < size; i++) {
    x = (x * 1103515245 + 12345) & 0x7fffffff;
    bytes[i] = x >>> 16;
  }
  return bytes;
}

/** An access token of a user; nobody checks its signature here. */
export function tokenOf(sub: string): string {
  return `x.${btoa(JSON.stringify({ sub }))}.y`;
}

/** A folder that is removed at the end. */
export async function withFolder(test: (path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), "sediment-uploader-"));
  try {
    await test(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

/**
 * A wall clock that stands until `skip` moves it, so that a test's own slowness is no time that passes; with the system's
 * timers, and random 1 (the longest backoff) unless set.
 */
function skippingClock(): Clock & { skip(seconds: number): void } {
  let now = Date.now();
  return {
    ...systemClock,
    now: () => now,
    random: () => 0.999,
    skip: (seconds) => void (now += seconds * 1000),
  };
}

/** A session whose token and events the test sets. */
function testSession(token: string | null = "token-1") {
  const listeners = new Set<(event: SessionEvent) => void>();
  const inner = tokenSession(() => session.token);
  const session = {
    token,
    ...inner,
    onChange(listener: (event: SessionEvent) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    emit(event: SessionEvent) {
      for (const listener of listeners) listener(event);
    },
  };
  return session satisfies Session & { token: string | null };
}

/** All parts of a test. */
export interface Setup {
  folder: string;
  service: FakeService;
  uploader: Uploader;
  session: ReturnType<typeof testSession>;
  clock: ReturnType<typeof skippingClock>;
  log: LogEvent[];
  /** Names of what was logged, in order. */
  names(): LogName[];
  /** Another uploader on the same folder, as after a restart. */
  another(
    settings?: UploaderSettingsInput,
    wrap?: (medium: PendingMedium) => PendingMedium,
  ): Promise<Uploader>;
}

/** Runs a test with all parts, and stops them. */
export async function withUploader(
  options: {
    service?: FakeServiceOptions;
    settings?: UploaderSettingsInput;
    token?: string | null;
    publishableKey?: string;
  },
  test: (setup: Setup) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const clock = skippingClock();
    const service = new FakeService({ now: clock.now, ...options.service });
    const session = testSession(options.token === undefined ? "token-1" : options.token);
    const log: LogEvent[] = [];
    const open: Uploader[] = [];
    const another: Setup["another"] = async (
      settings = options.settings ?? {},
      wrap = (medium) => medium,
    ) => {
      const uploader = await createUploader({
        url: service.url,
        fetch: service.fetch,
        medium: wrap(await diskMedium(folder)),
        publishableKey: options.publishableKey,
        session,
        clock,
        settings: { ...settings, retry: { item_interval_seconds: 0, ...settings.retry } },
        log: (event) => log.push(event),
      });
      open.push(uploader);
      return uploader;
    };
    const uploader = await another();
    try {
      const names = () => log.map((event) => event.event);
      await test({ folder, service, uploader, session, clock, log, names, another });
    } finally {
      for (const one of open) await one.stop();
    }
  });
}
