/** All settings of the uploader, with their defaults. The names of `retry` are the documents'. */
import * as z from "zod/mini";

// Mini has no texts of its own: each check says what is expected.
const number = (least: number, most: number, fallback: number) =>
  z._default(
    z.number(`a number, ${least} to ${most}`).check(
      z.minimum(least, `${least} to ${most}`),
      z.maximum(most, `${least} to ${most}`),
    ),
    fallback,
  );
const count = (least: number, most: number, fallback: number) =>
  z._default(
    z.int(`a whole number, ${least} to ${most}`).check(
      z.minimum(least, `${least} to ${most}`),
      z.maximum(most, `${least} to ${most}`),
    ),
    fallback,
  );
const bytes = (fallback: number) => count(1, Number.MAX_SAFE_INTEGER, fallback);
const oneOf = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z.enum(words, words.map((word) => `"${word}"`).join(" or "));
const year = 31_536_000;

/** `[app.asset_sync.retry]` */
export const retrySettings = z.strictObject({
  /** Attempts that may reach the server before an item is dead. */
  max_attempts: count(1, 1000, 5),
  /** Age at which an item that could not be sent expires. */
  ttl_seconds: number(1, year, 86_400),
  /** Time between two batches; also the base of the backoff. */
  interval_seconds: number(1, 86_400, 60),
  /** After a second refusal in a row: the least time before the next request; doubles, up to 1 h. */
  auth_backoff_seconds: number(0, year, 300),
  /** Pause after each item of a batch that nobody asked for by hand. */
  item_interval_seconds: number(0, year, 1),
});

/** `[app.asset_sync.pending]` */
export const pendingSettings = z.strictObject({
  /**
   * The folder of pending items, for programs that take it from here. The command line's default is a folder
   * for each account, in the platform's data folder.
   */
  directory: z.optional(z.string("a path").check(z.minLength(1, "a path"))),
  /** Most bytes kept, dead and expired items included. */
  quota_bytes: bytes(1024 ** 3),
  /** Most items kept. */
  quota_items: count(1, 10_000_000, 100_000),
  /** When full: refuse the new item, or drop the oldest (each is logged as `dropped`). */
  when_full: z._default(oneOf(["refuse", "drop_oldest"]), "refuse"),
});

/** `[app.asset_sync.upload]` */
export const uploadSettings = z.strictObject({
  /** Items under way at once, in this process. */
  concurrency: count(1, 64, 4),
  /** How bytes are sent; `auto`: two requests up to `direct_above_bytes`, direct above. */
  protocol: z._default(oneOf(["auto", "two_requests", "one_request", "direct"]), "auto"),
  /** Bodies above this go to the store by a signed URL (the functions take 8 MiB). */
  direct_above_bytes: bytes(8 * 1024 ** 2),
  /** Direct bodies above this go by resumable TUS where the server is Supabase Storage. */
  resumable_above_bytes: bytes(6 * 1024 ** 2 * 4),
  /**
   * Where the dataset that was named is another account's, a dataset of the account's own takes its place, which the answer
   * names; else such uploads are refused, and wait.
   */
  own_dataset: z._default(
    // z.boolean would be 90 bytes of a browser's bundle
    z.custom<boolean>((value) => typeof value === "boolean", "true or false"),
    false,
  ),
  /** Time limit of one request, plus one second for every `slowest_bytes_per_second` of body. */
  timeout_seconds: number(1, 86_400, 60),
  /** The slowest network that a body is given time for. */
  slowest_bytes_per_second: bytes(32 * 1024),
});

/** The keys of each section, by its name. */
export const sections = {
  retry: retrySettings.shape,
  pending: pendingSettings.shape,
  upload: uploadSettings.shape,
};

/** zod schema of {@link UploaderSettings}. */
export const uploaderSettings = z.strictObject({
  retry: z._default(retrySettings, z.parse(retrySettings, {})),
  pending: z._default(pendingSettings, z.parse(pendingSettings, {})),
  upload: z._default(uploadSettings, z.parse(uploadSettings, {})),
});

/** All settings, defaults filled in. */
export type UploaderSettings = z.infer<typeof uploaderSettings>;
/** What callers may give: any part. */
export type UploaderSettingsInput = z.input<typeof uploaderSettings>;
