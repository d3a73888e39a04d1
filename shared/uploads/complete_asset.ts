/** The end of an asset's direct upload: what a client has put into the store is compared with its plan, and kept. */
import type { Catalog } from "../catalog/catalog.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { WorkShares } from "../work_shares.ts";
import { bodyWorkMs } from "./work_price.ts";
import { isHopeless, takeCopy } from "./take_copy.ts";

/** Ports of {@link completeAsset}. */
export interface CompleteAssetPorts {
  catalog: Pick<Catalog, "getAssetUpload" | "commitAsset" | "abandonUpload">;
  store: Pick<ObjectStore, "head" | "copy" | "getRange">;
  /** What uploads of one user may cost those of others. @default no account is kept */
  shares?: Pick<WorkShares, "begin">;
}

/**
 * Takes a checked copy of what was put and makes it the asset; asked again it gives the first answer.
 *
 * @returns null where the stage is not one of a direct upload
 * @throws SedimentError `not_found` when nothing is there yet, `size_mismatch`, `hash_mismatch`, `stage_expired`, `forbidden`,
 *   `quota_exceeded`, `store_failed`, `catalog_failed`
 */
export async function completeAsset(
  ports: CompleteAssetPorts,
  userId: string,
  stageId: string,
  signal?: AbortSignal,
) {
  const { catalog, store } = ports;
  const stage = await catalog.getAssetUpload({ stage: stageId, user: userId });
  if (stage.incoming_key === null) return null;
  if (stage.answer !== null) return stage.answer;
  using work = await ports.shares?.begin(userId, signal);
  const { size, content_hash: contentHash, incoming_key: incomingKey } = stage;
  const body = { incomingKey, objectKey: stage.object_key, size, contentHash };
  const { etag } = await takeCopy(store, body, {
    onThere: () => work?.cost(bodyWorkMs(size)),
    signal,
  }).catch(async (thrown) => {
    // What was put can't be put again.
    if (isHopeless(thrown)) {
      await catalog.abandonUpload({ stage: stageId, user: userId }).catch(() => {});
    }
    throw thrown;
  });
  return await catalog.commitAsset({
    stage: stageId,
    user: userId,
    size,
    etag: etag || null,
    contentHash,
  });
}
