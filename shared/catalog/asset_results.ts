/** What the SQL functions of assets answer. */
import * as z from "zod";
import { count, time, uuid } from "./values.ts";

const described = {
  key: z.string(),
  relative_path: z.string(),
  file_name: z.string(),
  size: count,
  content_hash: z.string(),
  etag: z.string().nullable(),
  uploaded_at: time,
};

export const stagedAsset = z.object({
  stage_id: uuid,
  object_key: z.string(),
  /** Of a direct upload: the key that the client may write. */
  incoming_key: z.string().nullish(),
  expires_at: time,
  /** Whether the key holds other bytes now. */
  replaces: z.boolean(),
});

export const asset = z.object({
  ...described,
  object_key: z.string(),
  /** Whether the store has lost or changed its bytes. */
  missed: z.boolean().optional(),
  /** How long a URL of it may live. */
  signed_url_seconds: count,
});

export const committedAsset = z.object({
  ...described,
  object_key: z.string(),
  replaced: z.boolean(),
  duplicate: z.boolean(),
  /** The same bytes as before, in place of an object that the store has lost. */
  healed: z.literal(true).optional(),
});

/** The stage of an asset that a client puts into the store itself. */
export const assetUpload = z.object({
  stage_id: uuid,
  object_key: z.string(),
  incoming_key: z.string().nullable(),
  size: count,
  content_hash: z.string(),
  answer: committedAsset.nullable(),
});

export const assetList = z.object({
  assets: z.array(z.object(described)),
  next_cursor: z.string().nullable(),
});
