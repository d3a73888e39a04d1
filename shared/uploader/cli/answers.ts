/**
 * What commands rely on in the service's answers: an answer that lacks it comes from somebody else, and is told as such.
 * What else there is in one stays there, for --json.
 * The service itself makes its answers by `shared/protocol/answers.ts`,
 * whose zod is larger than a command line may be.
 */
import * as z from "zod/mini";

const text = z.string();
const maybe = z.nullish(text);
const number = z.number();
const count = z.nullish(number);

const dataFile = z.object({
  /** As old services have them, texts; a path's part in any case. */
  id: z.union([number, text]),
  table: text,
  period_tag: text,
  size: number,
  level: number,
  state: text,
  row_count: number,
  row_group_count: number,
  /** Where it can be read; none when the service can't read it itself. */
  url: z.optional(text),
  url_expires_at: z.optional(text),
  /** Of its bytes, where the service knows it. */
  sha256: z.optional(text),
  /** Why it can't be read. */
  error: z.optional(z.object({ code: text, message: text })),
});

/** One data file of a manifest. */
export type DataFile = z.infer<typeof dataFile>;

/** A page of a manifest. */
export const filePage = z.object({
  version: number,
  files: z.array(dataFile),
  next_cursor: maybe,
});

/** Where a run is. */
export const runStatus = z.object({
  status: text,
  state: maybe,
  instanceId: maybe,
  operation: maybe,
  table: maybe,
  period_tag: maybe,
  step: maybe,
  /** A sentence, or an object of the older services'. */
  decision: z.optional(z.unknown()),
  attempts: count,
  queued_at: maybe,
  completed_at: maybe,
  next_attempt_at: maybe,
  output: z.nullish(z.object({
    files_before: count,
    files_after: count,
    row_groups_before: count,
    row_groups_after: count,
    bytes_before: count,
    bytes_after: count,
  })),
  error: z.nullish(z.object({ code: text, message: maybe, step: maybe })),
});

/** The status of a run, as the service gives it. */
export type RunStatus = z.infer<typeof runStatus>;

/** What the service tells of a deletion. */
export const receipt = z.object({
  deletion_id: text,
  state: text,
  done: z.boolean(),
  files: number,
  rows: number,
  bytes: number,
});

/** The keys of a dataset. */
export const keyList = z.object({
  keys: z.array(z.object({
    key_id: text,
    label: text,
    state: text,
    end_reason: maybe,
    ended_at: maybe,
    expires_at: text,
    last_used_at: maybe,
  })),
});

/** A key that was made. */
export const newKey = z.object({ key_id: text, secret: text, expires_at: text });

/** What became of a key or an invitation. */
export const revocation = z.object({ revoked: z.boolean() });

/** Who shares a dataset. */
export const memberList = z.object({
  owner_id: text,
  members: z.array(z.object({ user_id: text, role: text, since: text })),
  invitations: z.array(z.object({
    invitation_id: text,
    role: text,
    user_id: maybe,
    expires_at: text,
  })),
});

/** An invitation. */
export const offer = z.object({ token: text, expires_at: text });

/** What an invitation has made of who accepted it. */
export const membership = z.object({ role: text, dataset_id: text });

/** What became of a member. */
export const removal = z.object({ removed: z.boolean() });

/** A table's names. */
export const renamed = z.object({ table: text, aliases: z.array(text) });
