/** The largest object that the store takes, for who plans what is to be put there. */
import type { Catalog } from "./catalog.ts";

/** Bytes that one object may have; Infinity where nothing is known of a limit. */
export type ObjectLimit = (signal?: AbortSignal) => Promise<number>;

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
  let known: { bytes: number; until: number } | undefined;
  return async (signal) => {
    if (known !== undefined && now() < known.until) return known.bytes;
    const { max_object_bytes: bytes } = await catalog.objectLimit({ bucket }, { signal });
    known = { bytes: bytes ?? Infinity, until: now() + rememberedMs };
    return known.bytes;
  };
}
