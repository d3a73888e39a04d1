/** What the SQL functions of read-only keys answer. */
import * as z from "zod";
import { time, uuid } from "./values.ts";

/** A key that is planned: the user that Auth is to make for it. */
export const stagedKey = z.object({ key_id: uuid, user_id: uuid, expires_at: time });

/** A key as its dataset's owner is told of it; the secret is in no answer of the catalog. */
export const datasetKey = z.object({
  key_id: uuid,
  dataset_id: uuid,
  label: z.string(),
  /** The user of Auth that the key is. */
  user_id: uuid,
  /** Null: a service. */
  created_by: uuid.nullable(),
  created_at: time,
  expires_at: time,
  state: z.enum(["active", "expired", "ended"]),
  ended_at: time.nullable(),
  end_reason: z.enum([
    "revoked",
    "expired",
    "handed_over",
    "dataset_deleted",
    "not_finished",
    "user_deleted",
  ]).nullable(),
  /** When it last gave a session. */
  last_used_at: time.nullable(),
});

/** The keys of a dataset, and those that have ended in the last 30 days. */
export const keyList = z.object({ dataset_id: uuid, keys: z.array(datasetKey) });

export const revokedKey = z.object({ dataset_id: uuid, key_id: uuid, revoked: z.boolean() });

/** Whose session the holder of a secret may have. */
export const openedKey = z.object({
  key_id: uuid,
  dataset_id: uuid,
  user_id: uuid,
  expires_at: time,
});

/** Keys that have ended, whose users Auth is to forget. */
export const claimedKeys = z.object({
  keys: z.array(z.object({ key_id: uuid, user_id: uuid, attempt: z.int() })),
  more: z.boolean(),
});

export const finishedKey = z.object({ key_id: uuid, finished: z.boolean() });
