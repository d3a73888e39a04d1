/** What a client says of an asset, and asks of assets. */
import * as z from "zod/mini";
import {
  fileNameText,
  isAssetFileName,
  isAssetPath,
  isHarmlessPath,
  maxPathBytes,
  pathText,
} from "./asset_path.ts";
import { byteCountSchema, cursorSchema, hashSchema, limitSchema, uuidSchema } from "./fields.ts";

/** A key or a relative path. */
export const assetPathSchema = z.string("a string").check(z.refine(isAssetPath, pathText));

/** A file name. */
export const assetFileNameSchema = z.string("a string")
  .check(z.refine(isAssetFileName, fileNameText));

/** Step 1 of an asset's upload. */
export const assetFieldsSchema = z.object({
  key: assetPathSchema,
  relative_path: z.optional(assetPathSchema),
  file_name: z.optional(assetFileNameSchema),
  file_size: byteCountSchema,
  content_hash: hashSchema,
  /** The user for whom a service acts. */
  user_id: z.optional(uuidSchema),
}, "a JSON object");

// A key of before the bound in bytes is still found.
const knownKeySchema = z.string("a string").check(
  z.minLength(1, pathText),
  z.maxLength(2 * maxPathBytes, pathText),
  z.refine(isHarmlessPath, pathText),
);

/** The query of `GET /asset-sync/keys`. */
export const assetListQuerySchema = z.strictObject({
  prefix: z.optional(
    z.string().check(z.regex(/^[^\0]{0,1024}$/, "at most 1024 characters, no NUL")),
  ),
  limit: limitSchema(1000),
  cursor: z.optional(cursorSchema),
}, "query parameters");

/** The query of `GET /asset-sync/check-hash`. */
export const assetHashQuerySchema = z.object({ key: knownKeySchema, content_hash: hashSchema });

/** The query of `GET /asset-sync/url`. */
export const assetUrlQuerySchema = z.object({ key: knownKeySchema });
