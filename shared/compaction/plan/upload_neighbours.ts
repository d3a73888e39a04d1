/** Tables in which the last writer wins merge only files that are neighbours in upload order. */
import { byUploadOrder, isFullGrown, type PlanFile, type PlanSettings } from "./data_file.ts";

/**
 * Stretches of files of one group with nothing between them; a full grown one is a stretch of its own.
 * @param isBarrier whether a file can't be merged, so that those at its sides can't meet
 */
export function neighbours<F extends PlanFile>(
  files: F[],
  settings: PlanSettings,
  groupOf: (file: F) => unknown,
  isBarrier: (file: F) => boolean,
): F[][] {
  const found: F[][] = [];
  let open: F[] | null = null;
  for (const file of files.toSorted(byUploadOrder)) {
    if (isBarrier(file)) {
      open = null;
    } else if (isFullGrown(file, settings)) {
      found.push([file]);
      open = null;
    } else if (open !== null && groupOf(open[0]!) === groupOf(file)) {
      open.push(file);
    } else {
      found.push(open = [file]);
    }
  }
  return found;
}

/**
 * Cuts chosen files where others lie between them. Where that leaves none with a neighbour, everything from the
 * first to the last goes together: rewriting a larger file beats never merging the small ones around it.
 */
export function stretches<F extends PlanFile>(all: F[], chosen: F[]): F[][] {
  const taken = new Set(chosen);
  const cut: F[][] = [[]];
  for (const file of all) {
    if (taken.has(file)) cut.at(-1)!.push(file);
    else if (cut.at(-1)!.length > 0) cut.push([]);
  }
  const several = cut.filter((files) => files.length > 1);
  if (several.length > 0 || chosen.length < 2) return several;
  return [all.slice(all.indexOf(chosen[0]!), all.indexOf(chosen.at(-1)!) + 1)];
}

/**
 * Whether no other file holds an upload from between those of the inputs. Outputs from before a table deduped may: their
 * inputs had others between them.
 */
export function haveNoneBetween<F extends PlanFile>(all: F[], inputs: F[]): boolean {
  const first = Math.min(...inputs.map((file) => file.seq_min));
  const last = Math.max(...inputs.map((file) => file.seq_max));
  const within = all.filter((file) => file.seq_min <= last && file.seq_max >= first);
  return within.length === inputs.length;
}
