/** Goes on with all deletions that somebody asked for, slice by slice: what the clockwork begins with a step a minute. */
import type { Catalog } from "../catalog/catalog.ts";
import type { Clock } from "../clock.ts";
import { asSedimentError } from "../errors.ts";
import { callCatalog } from "../compaction/run/call_catalog.ts";

/** What was done of deletions. */
export interface DeletionProgress {
  /** Slices that were done. */
  deletion_slices: number;
  /** Why it stopped; what is left comes with the next minute's step. */
  deletion_error?: string;
  /** Whether its bounds were reached before all was done. */
  more: boolean;
}

/** Files in a slice. */
const sliceSize = 2000;

/** Slices of one call: what a hosted isolate may spend, it spends on the vacuum that follows, too. */
const mostSlices = 200;

/** Milliseconds for an answer of the catalog, which gives a slice up after 60 s. */
const answerMs = 75_000;

/**
 * Takes slices until there is nothing more to do, or the time is over. One that fails is told and no error: others' work must not
 * wait for it.
 *
 * @param options `seconds`: no further slice is begun after this many; nor after 200 slices
 */
export async function goOn(
  { catalog, clock }: { catalog: Pick<Catalog, "advanceDeletions">; clock: Pick<Clock, "now"> },
  { seconds, signal }: { seconds: number; signal: AbortSignal },
): Promise<DeletionProgress> {
  const end = clock.now() + seconds * 1000;
  let slices = 0;
  try {
    while (clock.now() < end && slices < mostSlices) {
      const { more } = await callCatalog(
        signal,
        (stop) => catalog.advanceDeletions({ limit: sliceSize }, stop),
        answerMs,
      );
      if (!more) return { deletion_slices: slices, more };
      slices++;
    }
  } catch (thrown) {
    return {
      deletion_slices: slices,
      deletion_error: asSedimentError(thrown).message,
      more: false,
    };
  }
  return { deletion_slices: slices, more: true };
}
