/** A checked description of an asset: a file beside the data, kept under a key of the client's choosing. */
import type * as z from "zod/mini";
import type { assetFieldsSchema } from "../protocol/asset.ts";

/** What is said of an asset. */
export interface AssetRequest {
  key: string;
  relativePath: string;
  fileName: string;
  size: number;
  contentHash: string;
}

/** The asset that the fields describe; path and name follow from the key when they are absent. */
export function assetRequestOf(fields: z.output<typeof assetFieldsSchema>): AssetRequest {
  const relativePath = fields.relative_path ?? fields.key;
  return {
    key: fields.key,
    relativePath,
    fileName: fields.file_name ?? relativePath.split("/").at(-1)!,
    size: fields.file_size,
    contentHash: fields.content_hash,
  };
}
