/**
 * Deletes from the store what no kept version shows, as the catalog says, and tells the catalog. Where objects are
 * written in parts it also gives up the uploads of workers that died: no bucket has to have a lifecycle rule for them.
 */
import type { Catalog } from "../../catalog/catalog.ts";
import type { VacuumPlan } from "../../catalog/upkeep_results.ts";
import type { ObjectStore } from "../../storage/object_store.ts";
import { asSedimentError } from "../../errors.ts";
import { callCatalog } from "../run/call_catalog.ts";
import type { Clock } from "../../clock.ts";
import { splitObjects, type SplitPorts } from "./split_objects.ts";

/** Ports of a vacuum. */
export interface VacuumPorts {
  catalog: Pick<Catalog, "planVacuum" | "commitVacuum"> & SplitPorts["catalog"];
  store: Pick<ObjectStore, "deleteMany" | "abandonUploads"> & SplitPorts["store"];
  clock: Pick<Clock, "now">;
}

/** Bounds of a vacuum. */
export interface VacuumOptions {
  /** No further slice is begun after this many seconds. */
  seconds: number;
  /** Only says what it would do, and why. @default false */
  dryRun?: boolean;
  signal?: AbortSignal;
}

/** What a vacuum did; in a dry run nothing. */
export interface VacuumReport {
  dry_run: boolean;
  /** Rows of data files that no kept version shows any more. */
  files_dropped: number;
  objects_deleted: number;
  bytes_deleted: number;
  /** Slices that were copied to objects of their own, away from bytes that were deleted. */
  slices_split: number;
  /** Why not all of these were; they are handed out again. */
  split_error?: string;
  /** Unfinished uploads of dead workers that were given up. */
  uploads_abandoned: number;
  /** Why they were not all looked at; the next vacuum does. */
  uploads_error?: string;
  /** Whether there is more to do. */
  more: boolean;
  /** Whether it stopped in the middle of things to do, so that a successor finds some at once. */
  unfinished: boolean;
  /** Of a dry run: what a vacuum would begin with, each object with the reason; `more` says that this is not all. */
  would?: Pick<VacuumPlan, "versions" | "files_dropped" | "delete"> & { bytes: number };
}

/** Keys handed out at a time: as many as the stores delete in one call. */
const sliceSize = 1000;

/** Where runs write their outputs (`stage_output`). */
const outputPrefix = "battle_compacted/";

/** Milliseconds after which an upload has no worker any more: put deadlines are three hours after the claim. */
const uploadMs = 24 * 3600 * 1000;

/** Milliseconds for an answer of the catalog, which gives plan_vacuum up after 60 s. */
const answerMs = 75_000;

/** Keys that a dry run lists. */
const listed = 5000;

/**
 * Vacuums slice by slice. A key is deleted before the catalog hears of it; when the answer gets lost it is
 * handed out and deleted again, which is no error.
 *
 * @throws SedimentError `store_failed`, `catalog_failed`, `aborted`; what was deleted stays told
 */
export async function vacuum(ports: VacuumPorts, options: VacuumOptions): Promise<VacuumReport> {
  const { dryRun = false, signal = new AbortController().signal } = options;
  if (dryRun) return await planOnly(ports, signal);
  const end = ports.clock.now() + options.seconds * 1000;
  const report: VacuumReport = {
    dry_run: false,
    files_dropped: 0,
    objects_deleted: 0,
    bytes_deleted: 0,
    slices_split: 0,
    uploads_abandoned: 0,
    more: false,
    unfinished: false,
  };
  const inTime = () => ports.clock.now() < end;
  await split(ports, report, { inTime, signal });
  do {
    const plan = await callCatalog(
      signal,
      (stop) => ports.catalog.planVacuum({ limit: sliceSize }, stop),
      answerMs,
    );
    const keys = plan.delete.map(({ object_key }) => object_key);
    if (keys.length > 0) {
      await ports.store.deleteMany(keys, { signal });
      await callCatalog(signal, (stop) => ports.catalog.commitVacuum({ keys }, stop), answerMs);
    }
    report.files_dropped += plan.files_dropped;
    report.objects_deleted += keys.length;
    report.bytes_deleted += bytesOf(plan);
    report.more = plan.more;
    // a slice of datasets with nothing to do says nothing of those that come next: the hourly vacuum sees to them
    report.unfinished = plan.more &&
      plan.files_dropped + keys.length + plan.versions.length > 0;
  } while (report.more && inTime());
  await abandonUploads(ports, report, signal);
  return report;
}

/** A store that takes no copies must not keep what is due from being deleted: it is only told. */
async function split(
  ports: SplitPorts,
  report: VacuumReport,
  options: { inTime: () => boolean; signal: AbortSignal },
): Promise<void> {
  try {
    report.slices_split = await splitObjects(ports, options);
  } catch (thrown) {
    report.split_error = asSedimentError(thrown).message;
  }
}

/** A store that refuses the listing must not keep the catalog's own keys from being deleted: it is only told. */
async function abandonUploads(
  { store, clock }: Pick<VacuumPorts, "store" | "clock">,
  report: VacuumReport,
  signal: AbortSignal,
): Promise<void> {
  const before = new Date(clock.now() - uploadMs);
  try {
    report.uploads_abandoned = await store.abandonUploads?.(outputPrefix, before, { signal }) ?? 0;
  } catch (thrown) {
    report.uploads_error = asSedimentError(thrown).message;
  }
}

async function planOnly(
  { catalog }: Pick<VacuumPorts, "catalog">,
  signal: AbortSignal,
): Promise<VacuumReport> {
  const plan = await callCatalog(
    signal,
    (stop) => catalog.planVacuum({ limit: listed, dryRun: true }, stop),
    answerMs,
  );
  return {
    dry_run: true,
    files_dropped: 0,
    objects_deleted: 0,
    bytes_deleted: 0,
    slices_split: 0,
    uploads_abandoned: 0,
    more: plan.more,
    unfinished: false,
    would: {
      versions: plan.versions,
      files_dropped: plan.files_dropped,
      delete: plan.delete,
      bytes: bytesOf(plan),
    },
  };
}

function bytesOf(plan: VacuumPlan): number {
  return plan.delete.reduce((sum, { size }) => sum + (size ?? 0), 0);
}
