/** The PUT of a run's output under the key that the catalog planned for it. */
import { asSedimentError, SedimentError } from "../errors.ts";
import type { ObjectStore } from "../storage/object_store.ts";

/**
 * Puts. A key that is taken was taken by our own earlier try: run, token and ordinal are in it.
 *
 * @throws SedimentError `store_failed`, `aborted`
 */
export async function putOutput(
  store: Pick<ObjectStore, "put" | "head">,
  key: string,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<{ etag: string }> {
  try {
    return await store.put(key, bytes, {
      contentType: "application/vnd.apache.parquet",
      upsert: false,
      signal,
    });
  } catch (thrown) {
    const error = asSedimentError(thrown);
    if (error.code !== "already_stored") throw error;
    const found = await store.head(key, { signal });
    if (found?.size !== bytes.byteLength) {
      throw new SedimentError("store_failed", `${key} holds ${found?.size} bytes`, {
        expected: `${bytes.byteLength} bytes, as they were put`,
        cause: error,
      });
    }
    return found;
  }
}
