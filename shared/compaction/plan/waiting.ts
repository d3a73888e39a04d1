/** What waits for more files in a partition: by it the catalog tells which uploads bring a plan something to do. */
import { dedupes, type PlanFile, type PlanSettings } from "./data_file.ts";
import { chooseFiles, nextDue } from "./choose_files.ts";
import { tierOf, tierRatio } from "./tiers.ts";

/** A file as its size, age and schema count. */
export type WaitingFile = Pick<
  PlanFile,
  "byte_length" | "level" | "uploaded_at" | "seq_min" | "schema_fingerprint" | "apart"
>;

/** What waits, tier by tier from the smallest. */
export interface Waiting {
  /** Files, of the group of schemas that has the most of them in that tier. */
  files: number[];
  /** Since when the oldest upload among them waits; our own outputs don't age. */
  oldest: (string | null)[];
}

/** An output of a run and the ids of what it was made of. */
export interface MadeFile {
  inputs: ReadonlySet<number>;
  /** Null where no row was left, and so none. */
  file: WaitingFile | null;
}

/**
 * The groups of a plan once outputs were made of some of their files: what is left of each, and what came of it. An output of
 * files in no group may belong to any.
 */
export function groupsAfter<F extends PlanFile>(groups: F[][], made: MadeFile[]): WaitingFile[][] {
  const astray = made.filter((output) => !groups.some((files) => isOf(output, files)));
  return (groups.length > 0 ? groups : [[]]).map((files) => [
    ...files.filter(({ id }) => !made.some(({ inputs }) => inputs.has(id))),
    ...[...made.filter((output) => isOf(output, files)), ...astray]
      .flatMap(({ file }) => file ?? []),
  ]);
}

function isOf<F extends PlanFile>({ inputs }: MadeFile, files: F[]): boolean {
  return files.some(({ id }) => inputs.has(id));
}

/**
 * Counts what waits in groups of small files. Where the last writer wins only the newest group can grow: an upload comes
 * after all that are there.
 */
export function waitingIn(groups: WaitingFile[][], settings: PlanSettings): Waiting {
  const waiting: Waiting = { files: [], oldest: [] };
  for (const group of dedupes(settings) ? groups.slice(-1) : groups) {
    const files: number[] = [];
    for (const { byte_length, level, uploaded_at } of group) {
      const tier = tierOf(byte_length, settings.target_file_bytes, tierRatio(settings.min_inputs));
      if (tier === null) continue;
      files[tier] = (files[tier] ?? 0) + 1;
      const oldest = waiting.oldest[tier];
      if (level === 0 && (!oldest || Date.parse(uploaded_at) < Date.parse(oldest))) {
        waiting.oldest[tier] = uploaded_at;
      }
    }
    files.forEach((count, tier) => waiting.files[tier] = Math.max(waiting.files[tier] ?? 0, count));
  }
  return {
    files: Array.from(waiting.files, (count) => count ?? 0),
    oldest: Array.from(waiting.files, (_, tier) => waiting.oldest[tier] ?? null),
  };
}

/** Whether a plan would go on at once with what outputs have come to: most often what rises is merged with its tier at once. */
export function hasNextChoice<F extends PlanFile>(
  groups: F[][],
  made: MadeFile[],
  settings: PlanSettings,
  now: Date,
): boolean {
  const astray = made.some((output) => !groups.some((files) => isOf(output, files)));
  return groupsAfter(groups, made).some((left, index) => {
    const grew = astray || made.some((output) => isOf(output, groups[index]));
    return grew && chooseFiles(smallOf(left, settings), settings, false, now).files.length > 1;
  });
}

/**
 * When the first upload that outputs have left alone is old enough to be merged with one of them, or null: before they were
 * made it may have had no company.
 */
export function nextDueAfter<F extends PlanFile>(
  groups: F[][],
  made: MadeFile[],
  settings: PlanSettings,
  now: Date,
): Date | null {
  const due = groupsAfter(groups, made)
    .map((left) => nextDue(smallOf(left, settings), settings, now))
    .filter((at) => at !== null)
    .map((at) => at.getTime());
  return due.length > 0 ? new Date(Math.min(...due)) : null;
}

/** Those that are below the target size. */
export function smallOf(files: WaitingFile[], settings: PlanSettings): WaitingFile[] {
  return files.filter(({ byte_length }) =>
    tierOf(byte_length, settings.target_file_bytes, tierRatio(settings.min_inputs)) !== null
  );
}
