/**
 * Goes on with a deletion that was asked for, until it is done or its time is over: then the clockwork does the rest.
 * What it does SPEC.md says.
 */
import type { Catalog } from "../catalog/catalog.ts";
import type { DeletionReceipt } from "../catalog/deletion_results.ts";
import type { Clock } from "../clock.ts";
import { callCatalog } from "../compaction/run/call_catalog.ts";
import { splitObjects, type SplitPorts } from "../compaction/upkeep/split_objects.ts";
import type { ObjectStore } from "../storage/object_store.ts";

/** Ports of a deletion. */
export interface DeletionPorts {
  catalog:
    & Pick<Catalog, "advanceDeletions" | "deletionStatus" | "planVacuum" | "commitVacuum">
    & SplitPorts["catalog"];
  store: Pick<ObjectStore, "deleteMany"> & SplitPorts["store"];
  clock: Pick<Clock, "monotonic">;
}

/** Keys handed out at a time. */
const sliceSize = 500;

/**
 * Takes the files out slice by slice; of a purge also has the store delete the objects, and splits those that others share.
 *
 * @param options `seconds`: no further slice is begun after this many
 * @returns the receipt as it is then; `done` says whether anything is left
 * @throws SedimentError `store_failed`, `catalog_failed`, `aborted`; the deletion stands, and the clockwork goes on with it
 */
export async function carryOut(
  { catalog, store, clock }: DeletionPorts,
  receipt: DeletionReceipt,
  { seconds, signal }: { seconds: number; signal: AbortSignal },
): Promise<DeletionReceipt> {
  const end = clock.monotonic() + seconds * 1000;
  const deletion = receipt.deletion_id;
  const inTime = () => clock.monotonic() < end;
  const advance = async () => {
    while (inTime()) {
      const { more } = await callCatalog(
        signal,
        (stop) => catalog.advanceDeletions({ deletion }, stop),
      );
      if (!more) break;
    }
  };
  await advance();
  if (receipt.purge) {
    await splitObjects({ catalog, store }, { inTime, dataset: receipt.dataset_id, signal });
  }
  while (receipt.purge && inTime()) {
    // a user's assets belong to no dataset
    const plan = await callCatalog(
      signal,
      (stop) => catalog.planVacuum({ limit: sliceSize, dataset: receipt.dataset_id }, stop),
    );
    const keys = plan.delete.map(({ object_key }) => object_key);
    if (keys.length > 0) {
      await store.deleteMany(keys, { signal });
      await callCatalog(signal, (stop) => catalog.commitVacuum({ keys }, stop));
    }
    if (!plan.more) break;
  }
  if (receipt.purge) await advance();
  return await callCatalog(
    signal,
    (stop) => catalog.deletionStatus({ user: null, deletion }, stop),
  );
}
