/** Deletes from the store what no kept version shows, as the catalog says, and tells the catalog. */
import type { Catalog } from "../catalog/catalog.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { Clock } from "./clock.ts";

/** Ports of a vacuum. */
export interface VacuumPorts {
  catalog: Pick<Catalog, "planVacuum" | "commitVacuum">;
  store: Pick<ObjectStore, "deleteMany">;
  clock: Pick<Clock, "now">;
}

/** Bounds of a vacuum. */
export interface VacuumOptions {
  /** No further slice is begun after this many seconds. */
  seconds: number;
  /** Only says what it would do. @default false */
  dryRun?: boolean;
  signal?: AbortSignal;
}

/** What a vacuum did. */
export interface VacuumReport {
  dry_run: boolean;
  /** Rows of data files that no kept version shows any more. */
  files_dropped: number;
  objects_deleted: number;
  bytes_deleted: number;
  /** Whether there is more to do. */
  more: boolean;
}

/** Keys handed out at a time. */
const sliceSize = 500;

/**
 * Vacuums slice by slice. A key is deleted before the catalog hears of it; when the answer gets lost it is
 * handed out and deleted again, which is no error.
 *
 * @throws SedimentError `store_failed`, `catalog_failed`, `aborted`; what was deleted stays told
 */
export async function vacuum(ports: VacuumPorts, options: VacuumOptions): Promise<VacuumReport> {
  const { dryRun = false, signal } = options;
  const end = ports.clock.now().getTime() + options.seconds * 1000;
  const report: VacuumReport = {
    dry_run: dryRun,
    files_dropped: 0,
    objects_deleted: 0,
    bytes_deleted: 0,
    more: false,
  };
  do {
    const plan = await ports.catalog.planVacuum({ limit: sliceSize, dryRun }, { signal });
    const keys = plan.delete.map(({ object_key }) => object_key);
    if (!dryRun && keys.length > 0) {
      await ports.store.deleteMany(keys, { signal });
      await ports.catalog.commitVacuum({ keys }, { signal });
    }
    report.files_dropped += plan.files_dropped;
    report.objects_deleted += keys.length;
    report.bytes_deleted += plan.delete.reduce((sum, { size }) => sum + (size ?? 0), 0);
    report.more = plan.more;
  } while (report.more && !dryRun && ports.clock.now().getTime() < end);
  return report;
}
