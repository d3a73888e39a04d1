/** All settings of the uploader, with their defaults. The names of `retry` are the documents'. */
import * as z from "zod";

const seconds = (fallback: number) => z.number().min(0).max(31_536_000).default(fallback);

/** `[app.asset_sync.retry]` */
export const retrySettings = z.strictObject({
  /** Attempts that may reach the server before an item is dead. */
  max_attempts: z.int().min(1).max(1000).default(5),
  /** Age at which an item that could not be sent expires. */
  ttl_seconds: z.number().min(1).max(31_536_000).default(86_400),
  /** Time between two batches; also the base of the backoff. */
  interval_seconds: z.number().min(1).max(86_400).default(60),
  /** After a second refusal in a row: the least time before the next request; doubles, up to 1 h. */
  auth_backoff_seconds: seconds(300),
  /** Pause after each item of a batch that nobody asked for by hand. */
  item_interval_seconds: seconds(1),
});

/** `[app.asset_sync.pending]` */
export const pendingSettings = z.strictObject({
  /**
   * The folder of pending items, for programs that take it from here. The command line's default is a folder
   * for each account, in the platform's data folder.
   */
  directory: z.string().min(1).optional(),
  /** Most bytes kept, dead and expired items included. */
  quota_bytes: z.int().min(1).default(1024 ** 3),
  /** Most items kept. */
  quota_items: z.int().min(1).default(100_000),
  /** When full: refuse the new item, or drop the oldest (each is logged as `dropped`). */
  when_full: z.enum(["refuse", "drop_oldest"]).default("refuse"),
});

/** `[app.asset_sync.upload]` */
export const uploadSettings = z.strictObject({
  /** Items under way at once, in this process. */
  concurrency: z.int().min(1).max(64).default(4),
  /** How bytes are sent; `auto`: two requests up to `direct_above_bytes`, direct above. */
  protocol: z.enum(["auto", "two_requests", "one_request", "direct"]).default("auto"),
  /** Bodies above this go to the store by a signed URL (the functions take 8 MiB). */
  direct_above_bytes: z.int().min(1).default(8 * 1024 ** 2),
  /** Direct bodies above this go by resumable TUS where the server is Supabase Storage. */
  resumable_above_bytes: z.int().min(1).default(6 * 1024 ** 2 * 4),
  /** Time limit of one request, plus one second for every `slowest_bytes_per_second` of body. */
  timeout_seconds: z.number().min(1).max(86_400).default(60),
  /** The slowest network that a body is given time for. */
  slowest_bytes_per_second: z.int().min(1).default(32 * 1024),
});

/** zod schema of {@link UploaderSettings}. */
export const uploaderSettings = z.strictObject({
  retry: retrySettings.prefault({}),
  pending: pendingSettings.prefault({}),
  upload: uploadSettings.prefault({}),
});

/** All settings, defaults filled in. */
export type UploaderSettings = z.infer<typeof uploaderSettings>;
/** What callers may give: any part. */
export type UploaderSettingsInput = z.input<typeof uploaderSettings>;
