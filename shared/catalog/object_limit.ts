/** The largest object that the store takes, for who plans what is to be put there. */
import type { Catalog } from "./catalog.ts";

/** Bytes that one object may have; Infinity where nothing is known of a limit. */
export interface ObjectLimit {
  (signal?: AbortSignal): Promise<number>;
  /** Bytes that an asset may have, of the user who may have the largest. */
  ofAssets?(signal?: AbortSignal): Promise<number>;
}

/** What is no larger needs no question: a store that does not take this much is of no use. */
export const askedAbove = 1024 * 1024;

/** A bucket's limit may be changed while isolates live. */
const rememberedMs = 60_000;

/**
 * Asks the catalog at most once a minute: the setting, and the bucket's own limit where the bucket is in the same project.
 *
 * @param bucket the bucket of this project's Storage; null where objects are elsewhere
 */
export function createObjectLimit(
  catalog: Pick<Catalog, "objectLimit">,
  bucket: string | null,
  now: () => number = () => performance.now(),
): ObjectLimit {
  let known: { bytes: number; assetBytes: number; until: number } | undefined;
  const ask = async (signal?: AbortSignal) => {
    if (known !== undefined && now() < known.until) return known;
    const said = await catalog.objectLimit({ bucket }, { signal });
    const { max_object_bytes: bytes, max_asset_bytes: assetBytes = Infinity } = said;
    return known = { bytes: bytes ?? Infinity, assetBytes, until: now() + rememberedMs };
  };
  return Object.assign(
    async (signal?: AbortSignal) => (await ask(signal)).bytes,
    { ofAssets: async (signal?: AbortSignal) => (await ask(signal)).assetBytes },
  );
}
