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
import {
  byteCountSchema,
  cursorSchema,
  hashSchema,
  maxPageSize,
  uuidSchema,
  wholeNumber,
} from "./fields.ts";

/** A key or a relative path. */
export const assetPathSchema = z.string("a string").check(z.refine(isAssetPath, pathText));

/** A relative path, which clients on Windows write with backslashes. */
const relativePathSchema = z.string("a string").check(
  z.overwrite((path) => path.replaceAll("\\", "/")),
  z.refine(isAssetPath, pathText),
);

/** A file name. */
export const assetFileNameSchema = z.string("a string")
  .check(z.refine(isAssetFileName, fileNameText));

/** Step 1 of an asset's upload. */
export const assetFieldsSchema = z.object({
  key: assetPathSchema,
  relative_path: z.optional(relativePathSchema),
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

/**
 * Most assets of an answer to whoever gave no limit. The documents' client asks once and takes the answer for all that
 * is there, so that it would send again what a page left out.
 */
export const maxUnpagedKeys = 20_000;

/** The query of `GET /asset-sync/keys`. */
export const assetListQuerySchema = z.strictObject({
  prefix: z.optional(
    z.string().check(z.regex(/^[^\0]{0,1024}$/, "at most 1024 characters, no NUL")),
  ),
  /** Absent: all keys, up to {@link maxUnpagedKeys}. */
  limit: z.optional(wholeNumber("1 to 1000", 1, maxPageSize)),
  cursor: z.optional(cursorSchema),
}, "query parameters");

/** The query of `GET /asset-sync/check-hash`. */
export const assetHashQuerySchema = z.object({ key: knownKeySchema, content_hash: hashSchema });

/** The query of `GET /asset-sync/url`. */
export const assetUrlQuerySchema = z.object({ key: knownKeySchema });
