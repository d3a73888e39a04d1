/** What a client says of an asset: files beside the data, kept under keys of the client's choosing. */
import * as z from "zod";
import { byteCountSchema, hashSchema } from "../catalog/names.ts";

/** Control, format (direction, joiners), surrogate, private and unassigned characters; line separators. */
const hidden = /[\p{C}\p{Zl}\p{Zp}]/u;

/**
 * Whether a path stays in its folder, and shows what it is: no empty, `.` or `..` segment, no backslash, no
 * hidden character; also not after compatibility normalisation, by which `．．／` becomes `../`.
 */
export function isHarmlessPath(path: string): boolean {
  if (path !== path.normalize("NFC") || hidden.test(path)) return false;
  return [path, path.normalize("NFKC")].every((form) =>
    !form.includes("\\") &&
    form.split("/").every((segment) => !/^\.{0,2}$/.test(segment.trim()))
  ) && path.normalize("NFKC").split("/").length === path.split("/").length;
}

const pathText =
  "a path without empty, . or .. segments, backslashes and hidden characters, in NFC";

const pathSchema = z.string("a string").min(1, "1 to 1024 characters")
  .max(1024, "1 to 1024 characters").refine(isHarmlessPath, pathText);

/** The key of an asset. */
export const assetKeySchema = pathSchema;

/** Step 1 of an asset's upload. */
export const assetFieldsSchema = z.object({
  key: pathSchema,
  relative_path: pathSchema.optional(),
  file_name: pathSchema.refine(
    (name) => !/[/]/.test(name.normalize("NFKC")),
    "a name without slashes",
  )
    .optional(),
  file_size: byteCountSchema,
  content_hash: hashSchema,
  /** The user for whom a service acts. */
  user_id: z.guid("a UUID").optional(),
}, "a JSON object");

/** A checked description of an asset. */
export interface AssetRequest {
  key: string;
  relativePath: string;
  fileName: string;
  size: number;
  contentHash: string;
}

/** The asset that the fields describe; path and name follow from the key when they are absent. */
export function assetRequestOf(fields: z.infer<typeof assetFieldsSchema>): AssetRequest {
  const relativePath = fields.relative_path ?? fields.key;
  return {
    key: fields.key,
    relativePath,
    fileName: fields.file_name ?? relativePath.split("/").at(-1)!,
    size: fields.file_size,
    contentHash: fields.content_hash,
  };
}
