/** One turn of what leaves the store: deletions that somebody asked for, and then the vacuum. */
import type { Catalog } from "../catalog/catalog.ts";
import { vacuum, type VacuumPorts, type VacuumReport } from "../compaction/upkeep/vacuum.ts";
import { type DeletionProgress, goOn } from "./go_on.ts";

/** Ports of such a turn. */
export interface DeletionTurnPorts extends VacuumPorts {
  catalog: VacuumPorts["catalog"] & Pick<Catalog, "advanceDeletions" | "wakeVacuum">;
}

/** What a turn did. `unfinished`: there is more of either. */
export type DeletionTurnReport = VacuumReport & Partial<Omit<DeletionProgress, "more">>;

/**
 * Deletions have half of the time, so that what is deleted first leaves the store with the same turn; the vacuum has the rest.
 * Where either has more to do another turn is asked for.
 *
 * @param options `dryRun`: only the vacuum, which says what it would do
 * @throws what {@link vacuum} throws
 */
export async function deleteAndVacuum(
  { catalog, store, clock }: DeletionTurnPorts,
  { seconds, dryRun, signal }: { seconds: number; dryRun: boolean; signal: AbortSignal },
): Promise<DeletionTurnReport> {
  if (dryRun) return await vacuum({ catalog, store, clock }, { seconds, dryRun, signal });
  const end = clock.now() + seconds * 1000;
  const { more, ...deletions } = await goOn({ catalog, clock }, { seconds: seconds / 2, signal });
  const report = await vacuum({ catalog, store, clock }, {
    // a slice that took long may have used it up
    seconds: Math.max(0, end - clock.now()) / 1000,
    signal,
  });
  const unfinished = report.unfinished || more;
  // One that can't be woken costs time: the next minute's step, the next hour's vacuum goes on.
  if (unfinished) await catalog.wakeVacuum({}).catch(() => {});
  return { ...report, ...deletions, unfinished };
}
