/**
 * The `.json` half of a pending item: what is on disk, and how it becomes a value. The names are those
 * of the existing client (`id, target_url, headers, created_at, attempt_count, file_path, context`).
 */
import * as z from "zod/mini";
import { uploadMeta } from "../upload_meta.ts";
import { type ItemState, itemStates } from "../transitions.ts";

/** The version that this code writes. A record of a newer one is left alone: another app's. */
export const recordVersion = 1;

// A regular expression and a look at the value: zod's own formats would be a twelfth of a browser's bundle.
const instant = z.string().check(
  z.regex(/^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/),
  z.refine((text: string) => Number.isFinite(Date.parse(text)), "no instant"),
);
/** May be missing in records of earlier versions. */
const nullable = <T extends z.core.SomeType>(schema: T) => z._default(z.nullable(schema), null);
const count = z.int().check(z.minimum(0));

const lastError = z.object({
  /** A code of shared/errors.ts, or the server's own. */
  code: z.string(),
  /** HTTP status, where there was an answer. */
  status: z.optional(z.int()),
  message: z.string(),
  at: instant,
});

/** A two-request or direct upload that has passed its first request. */
const startedUpload = z.object({
  protocol: z.enum(["two_requests", "direct", "tus"]),
  url: z.string(),
  expires_at: instant,
  complete_url: z.optional(z.string()),
  /** Where the resumable upload lives, once the server has made it. */
  tus_url: z.optional(z.string()),
});

const claim = z.object({
  /** `host-pid-random` of the sender, so that a claim of a dead process is known for one. */
  owner: z.string(),
  /** Which claim of that sender. */
  nonce: z.string(),
  since: instant,
  until: instant,
});

function isHttpUrl(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text);
}

const keptStates = itemStates.filter((state): state is Exclude<ItemState, "gone"> =>
  state !== "gone"
);

const record = z.object({
  // a newer one does not get here
  v: z.int().check(z.minimum(recordVersion)),
  id: z.string().check(z.regex(/^[0-9a-f]{32}$/)),
  state: z.enum(keptStates, `one of ${keptStates.join(", ")}`),
  target_url: z.string().check(z.refine(isHttpUrl, "no http or https URL")),
  /** Headers to send along. Never a credential: those are asked for when sending. */
  headers: z.catchall(z.object({}), z.string()),
  created_at: instant,
  /** Set by a re-queue: the TTL counts from here. */
  requeued_at: nullable(instant),
  attempt_count: count,
  file_path: z.string(),
  size: count,
  content_hash: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  context: uploadMeta,
  /** The `sub` of the session that saved it: another user's session doesn't send it. */
  user_id: nullable(z.string()),
  next_attempt_at: instant,
  last_attempt_at: nullable(instant),
  last_error: nullable(lastError),
  /** Fingerprint of the credential that was refused last, and how often in a row. */
  refused_credential: nullable(z.string()),
  auth_failures: z._default(count, 0),
  upload: nullable(startedUpload),
  claim: nullable(claim),
});

/** A pending item as it is on disk. */
export type PendingItem = z.infer<typeof record>;
/** Why an attempt did not end in `stored`. */
export type LastError = z.infer<typeof lastError>;
/** See {@link PendingItem}. */
export type StartedUpload = z.infer<typeof startedUpload>;

/** What a text in a record's place turned out to be. */
export type ReadRecord =
  | { kind: "item"; item: PendingItem }
  | { kind: "newer"; version: number }
  | { kind: "broken"; reason: string };

/** Reads a record's text. Never throws: torn and foreign texts are `broken`, with the reason. */
export function readRecord(id: string, text: string): ReadRecord {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { kind: "broken", reason: `not JSON: ${(error as Error).message}` };
  }
  const version = (json as { v?: unknown } | null)?.v;
  if (typeof version === "number" && version > recordVersion) return { kind: "newer", version };
  const parsed = z.safeParse(record, json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return { kind: "broken", reason: `${issue.path.join(".") || "record"}: ${issue.message}` };
  }
  if (parsed.data.id !== id) {
    return { kind: "broken", reason: `id: ${parsed.data.id} in the file of ${id}` };
  }
  return { kind: "item", item: parsed.data };
}

/** The text of a record. */
export function writeRecord(item: PendingItem): string {
  return JSON.stringify(item, null, 1) + "\n";
}

/** Milliseconds of an instant in a record. */
export function ms(instant: string): number {
  return Date.parse(instant);
}

/** The instant of milliseconds since 1970, as records hold it; clocks gone mad are held in range. */
export function iso(milliseconds: number): string {
  const farthest = Date.UTC(9999, 11, 31);
  return new Date(Math.min(Math.max(0, milliseconds), farthest)).toISOString();
}
