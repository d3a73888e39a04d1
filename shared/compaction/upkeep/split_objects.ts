/**
 * Splits objects that hold bytes of deleted slices beside slices that are there: each of the latter is copied to an object
 * of its own, and then the shared one can go. What a crash leaves behind is a planned key, which the sweep gives up.
 */
import type { Catalog } from "../../catalog/catalog.ts";
import type { StagedSplit } from "../../catalog/deletion_results.ts";
import { asSedimentError } from "../../errors.ts";
import type { ObjectStore } from "../../storage/object_store.ts";
import { checksumOf } from "../checksum.ts";
import { callCatalog } from "../run/call_catalog.ts";

/** Ports of a split. */
export interface SplitPorts {
  catalog: Pick<Catalog, "stageSplits" | "commitSplit">;
  store: Pick<ObjectStore, "getRange" | "head" | "put">;
}

/** Bounds of it. */
export interface SplitOptions {
  /** Whether time is left for another object; asked before each. */
  inTime(): boolean;
  /** Only this one's. @default all */
  dataset?: string | null;
  signal: AbortSignal;
}

/** Objects handed out at a time: each is up to 50 MiB, and all are done before more are asked for. */
const sliceSize = 10;

/**
 * Splits what the catalog hands out. A slice whose bytes are gone or changed is left where it is: the catalog has it handed
 * out again later.
 *
 * @returns how many slices have objects of their own now
 * @throws SedimentError `store_failed`, `catalog_failed`, `aborted`; what was copied stays so
 */
export async function splitObjects(ports: SplitPorts, options: SplitOptions): Promise<number> {
  const { signal, dataset = null } = options;
  let copied = 0;
  while (options.inTime()) {
    const { splits, more } = await callCatalog(
      signal,
      (stop) => ports.catalog.stageSplits({ limit: sliceSize, dataset }, stop),
    );
    for (const split of splits) {
      // what is left is handed out again later
      if (!options.inTime()) return copied;
      copied += await splitOne(ports, split, signal);
    }
    if (!more) break;
  }
  return copied;
}

async function splitOne(
  { catalog, store }: SplitPorts,
  { object_key: objectKey, etag, copies: planned }: StagedSplit,
  signal: AbortSignal,
): Promise<number> {
  const found = await store.head(objectKey, { signal });
  const copies: { file: number; object_key: string; etag: string }[] = [];
  for (const { file, start_byte, byte_length, checksum, object_key } of found ? planned : []) {
    const bytes = await bytesOf(store, objectKey, start_byte, byte_length, signal);
    // without a checksum the object's ETag says whether its bytes are what they were
    const sound = bytes?.byteLength === byte_length &&
      (checksum === null
        ? !etag || !found?.etag || etag === found.etag
        : checksumOf(bytes) === checksum);
    if (!sound) continue;
    // a second try of the same planned key holds the same bytes
    const stored = await store.put(object_key, bytes, { upsert: true, signal });
    copies.push({ file, object_key, etag: stored.etag });
  }
  const { copied } = await callCatalog(
    signal,
    (stop) => catalog.commitSplit({ objectKey, copies, missing: found === null }, stop),
  );
  return copied;
}

/** A slice's bytes; null where they are gone. */
async function bytesOf(
  store: Pick<ObjectStore, "getRange">,
  key: string,
  start: number,
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array | null> {
  try {
    return await store.getRange(key, start, length, { signal });
  } catch (thrown) {
    const { code } = asSedimentError(thrown);
    if (code === "object_missing" || code === "range_not_satisfiable") return null;
    throw thrown;
  }
}
