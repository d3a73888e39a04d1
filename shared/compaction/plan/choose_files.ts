/** Which of a group's small files are merged now: by size tiers, by age, or all when asked for by hand. */
import type { AgedFile, PlanSettings } from "./data_file.ts";
import { filesText } from "./decision_text.ts";
import { chooseByTier, tierOf, tierRatio } from "./tiers.ts";

/** Files to be merged, and why, in words. */
export interface Choice<F> {
  files: F[];
  reason: string;
}

/** Chooses among files below the target size that may meet in an output. */
export function chooseFiles<F extends AgedFile>(
  small: F[],
  settings: PlanSettings,
  forced: boolean,
  now: Date,
): Choice<F> {
  if (forced) return { files: small, reason: "asked for by hand" };
  const byTier = chooseByTier(small, settings.target_file_bytes, settings.min_inputs);
  const aged = small.filter((file) =>
    dueAt(file, settings) !== null && dueAt(file, settings)! <= now
  );
  if (aged.length > 0) {
    // With an aged file go all of its tier and below: never the larger ones, or a trickle of fragments
    // would rewrite a large file again and again.
    const highest = Math.max(...aged.map((file) => tierIn(file, settings)));
    const chosen = new Set([
      ...byTier,
      ...small.filter((file) => tierIn(file, settings) <= highest),
    ]);
    if (chosen.size > byTier.length && chosen.size > 1) {
      return {
        files: small.filter((file) => chosen.has(file)),
        reason: `${filesText(aged.length)} older than max_age ${settings.max_age_seconds} s`,
      };
    }
  }
  return {
    files: small.filter((file) => byTier.includes(file)),
    reason: `a size tier reached min_inputs ${settings.min_inputs}`,
  };
}

/** When the first of the files that are left alone may be merged with another for its age. */
export function nextDue(left: AgedFile[], settings: PlanSettings, now: Date): Date | null {
  let next: Date | null = null;
  for (const file of left) {
    const due = dueAt(file, settings);
    // One that is due and was still left fits nowhere: waiting won't change that.
    if (due === null || due <= now || (next !== null && due >= next)) continue;
    const tier = tierIn(file, settings);
    if (left.some((other) => other !== file && tierIn(other, settings) <= tier)) next = due;
  }
  return next;
}

/** When waiting for more files ends for a fragment; our own outputs don't age. */
function dueAt(file: AgedFile, settings: PlanSettings): Date | null {
  if (file.level > 0) return null;
  return new Date(Date.parse(file.uploaded_at) + settings.max_age_seconds * 1000);
}

function tierIn(file: AgedFile, settings: PlanSettings): number {
  return tierOf(file.byte_length, settings.target_file_bytes, tierRatio(settings.min_inputs))!;
}
