/** The two steps of an asset's upload. */
import * as z from "zod";
import type { Catalog } from "../catalog/catalog.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { asSedimentError } from "../errors.ts";
import type { AssetRequest } from "./asset_request.ts";
import { checkBody } from "./check_body.ts";
import { putOnce } from "./put_once.ts";

/** Ports of assets. */
export interface AssetPorts {
  catalog: Pick<Catalog, "stageAsset" | "commitAsset" | "abandonUpload">;
  store: ObjectStore;
}

/** A planned asset, complete enough that receiving its bytes needs no look-up. */
export interface StagedAsset {
  stageId: string;
  userId: string;
  objectKey: string;
  size: number;
  contentHash: string;
}

/** A {@link StagedAsset} for its token. */
export const packedAssetSchema = z.tuple([z.string(), z.string(), z.string(), z.int(), z.string()]);

/** Packs a staged asset for its token. */
export function packAsset(asset: StagedAsset): z.infer<typeof packedAssetSchema> {
  return [asset.stageId, asset.userId, asset.objectKey, asset.size, asset.contentHash];
}

/** The staged asset of a token that was opened. */
export function unpackAsset(packed: z.infer<typeof packedAssetSchema>): StagedAsset {
  const [stageId, userId, objectKey, size, contentHash] = packed;
  return { stageId, userId, objectKey, size, contentHash };
}

/**
 * Plans an asset's object, a new one each time.
 *
 * @param direct whether the client sends the bytes to the store itself: to `incomingKey`
 * @throws SedimentError `already_stored` when the key holds these bytes, `invalid_name`, `body_too_large`,
 *   `rate_limited`, `quota_exceeded`
 */
export async function stageAsset(
  ports: Pick<AssetPorts, "catalog">,
  userId: string,
  request: AssetRequest,
  ttlSeconds: number,
  direct = false,
): Promise<StagedAsset & { replaces: boolean; incomingKey: string | null }> {
  const stage = await ports.catalog.stageAsset({
    user: userId,
    key: request.key,
    relativePath: request.relativePath,
    fileName: request.fileName,
    size: request.size,
    contentHash: request.contentHash,
    ttlSeconds,
    ...(direct ? { direct } : {}),
  });
  return {
    stageId: stage.stage_id,
    userId,
    objectKey: stage.object_key,
    size: request.size,
    contentHash: request.contentHash,
    replaces: stage.replaces,
    incomingKey: stage.incoming_key ?? null,
  };
}

/** Takes the bytes of a staged asset; readers of its key see the old ones or the new ones, never none. */
export async function receiveAsset(
  ports: AssetPorts,
  staged: StagedAsset,
  body: Uint8Array,
  signal?: AbortSignal,
) {
  checkBody(staged, body);
  const { stageId: stage, userId: user } = staged;
  try {
    const { etag } = await putOnce(ports.store, staged.objectKey, body, signal);
    return await ports.catalog.commitAsset({
      stage,
      user,
      size: body.byteLength,
      etag: etag || null,
      contentHash: staged.contentHash,
    });
  } catch (thrown) {
    // no room for it while its URL lives: the stage ends, and counts no more as one that is open
    if (asSedimentError(thrown).code === "quota_exceeded") {
      await ports.catalog.abandonUpload({ stage, user }).catch(() => {});
    }
    throw thrown;
  }
}
