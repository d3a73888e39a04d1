/** What the SQL functions of members answer. */
import * as z from "zod";
import { time, uuid } from "./values.ts";

const memberRole = z.enum(["writer", "reader"]);
const anyRole = z.enum(["owner", "writer", "reader"]);

/** An offer as its owner is told of it; the token is in this answer alone. */
export const invitation = z.object({
  invitation_id: uuid,
  dataset_id: uuid,
  role: anyRole,
  /** The only user who may accept it; null: whoever holds the token. */
  user_id: uuid.nullable(),
  /** Of a handover: what the old owner becomes; null: nothing. */
  keep_role: memberRole.nullable(),
  token: z.string(),
  expires_at: time,
});

/** What became of an offer that was accepted. */
export const acceptedInvitation = z.object({
  dataset_id: uuid,
  role: anyRole,
  owner_id: uuid,
});

/** Who shares a dataset, and the offers that are open. */
export const memberList = z.object({
  dataset_id: uuid,
  owner_id: uuid,
  /** The caller's; null of a service that reads for nobody. */
  role: anyRole.nullable(),
  members: z.array(z.object({
    user_id: uuid,
    role: memberRole,
    /** Null: a service. */
    invited_by: uuid.nullable(),
    since: time,
  })),
  invitations: z.array(z.object({
    invitation_id: uuid,
    role: anyRole,
    user_id: uuid.nullable(),
    keep_role: memberRole.nullable(),
    created_at: time,
    expires_at: time,
  })),
});

/** A table's names. */
export const renamedTable = z.object({
  dataset_id: uuid,
  table: z.string(),
  /** Names that it had: they still lead to it. */
  aliases: z.array(z.string()),
});

export const removedMember = z.object({ dataset_id: uuid, user_id: uuid, removed: z.boolean() });

export const revokedInvitation = z.object({
  dataset_id: uuid,
  invitation_id: uuid,
  revoked: z.boolean(),
});
