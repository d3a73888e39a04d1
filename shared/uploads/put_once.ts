/** The put of an object whose key is used once. */
import { asSedimentError, SedimentError } from "../errors.ts";
import type { ObjectStore } from "../storage/object_store.ts";

/**
 * Puts an object under a key that was planned for these very bytes. When the key is taken, an earlier request
 * with the same token took it, hence with the same bytes: only its commit is missing, or its answer got lost.
 *
 * @returns the ETag, "" where the store has told none: the catalog takes null for "nothing was put"
 * @throws SedimentError `store_failed`, `aborted`
 */
export async function putOnce(
  store: Pick<ObjectStore, "put" | "head">,
  key: string,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<{ etag: string }> {
  try {
    // The key says what the bytes are; asking for an ETag would be a request more.
    const { etag } = await store.put(key, bytes, { upsert: false, wantsEtag: false, signal });
    return { etag };
  } catch (thrown) {
    const error = asSedimentError(thrown);
    if (error.code !== "already_stored") throw error;
    const found = await store.head(key, { signal });
    if (found === null || found.size !== bytes.byteLength) {
      throw new SedimentError("store_failed", `${key} is taken by other bytes`, { cause: error });
    }
    return found;
  }
}
