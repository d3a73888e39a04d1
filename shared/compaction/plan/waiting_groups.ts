/**
 * What waits in a partition, by groups of schemas: with it the catalog tells whether an upload comes to files that it can be
 * merged with.
 */
import { apartGroupOf } from "./apart_files.ts";
import { dedupes, type PlanFile, type PlanSettings } from "./data_file.ts";
import {
  groupsAfter,
  type MadeFile,
  smallOf,
  type Waiting,
  type WaitingFile,
  waitingIn,
} from "./waiting.ts";

/** How a plan groups the fingerprints of its small files, given in upload order; undefined: that can't be told. */
export type GroupFingerprints = (fingerprints: readonly string[]) => string[][] | undefined;

/** What waits in one group: uploads of these schemas come to it. */
export interface WaitingGroup extends Waiting {
  schemas: string[];
}

/** Groups that are told apart at most, and schemas of each: what comes of others may belong to any. */
const mostGroups = 8, mostSchemas = 20;

/**
 * What outputs leave waiting, and where the next plan will have several groups of schemas, each of them: a schema that has
 * left, or one that came with an output, may make other groups of the rest.
 *
 * @param groups of the plan
 * @param made what it has come to
 */
export function waitingAfter<F extends PlanFile>(
  groups: F[][],
  made: MadeFile[],
  settings: PlanSettings,
  groupFingerprints: GroupFingerprints,
): Waiting & { groups?: WaitingGroup[] } {
  const after = groupsAfter(groups, made);
  const waiting = waitingIn(after, settings);
  const small = smallIn(after, settings);
  const schemas = groupFingerprints(fingerprintsOf(small));
  const apart = Map.groupBy(small, apartGroupOf);
  apart.delete(undefined);
  if (schemas === undefined || schemas.length + apart.size < 2) return waiting;
  // of stretches only the newest can grow
  const growing = new Set(dedupes(settings) ? after.at(-1) : small);
  const told = [
    ...schemas.map((fingerprints) => ({
      schemas: fingerprints.slice(0, mostSchemas),
      files: small.filter((file) =>
        apartGroupOf(file) === undefined && fingerprints.includes(file.schema_fingerprint)
      ),
    })),
    // to what was set apart nothing comes
    ...[...apart.values()].map((files) => ({ schemas: [], files })),
  ].map(({ schemas, files }): WaitingGroup => ({
    schemas,
    ...waitingIn([files.filter((file) => growing.has(file))], settings),
  })).sort((one, other) => sum(other.files) - sum(one.files));
  return { ...waiting, groups: told.length > mostGroups ? withRest(told) : told };
}

/** Whether files that the plan kept apart for their schemas meet in the next one: one that parted them has left. */
export function uniteLater<F extends PlanFile>(
  groups: F[][],
  made: MadeFile[],
  settings: PlanSettings,
  groupFingerprints: GroupFingerprints,
): boolean {
  if (made.length === 0) return false;
  const before = dedupes(settings)
    ? groupFingerprints(fingerprintsOf(groups.flat())) ?? []
    : groups.map(fingerprintsOf);
  const left = smallIn(groupsAfter(groups, made), settings);
  const after = groupFingerprints(fingerprintsOf(left)) ?? [];
  return after.some((group) =>
    before.filter((other) => other.some((one) => group.includes(one))).length > 1
  );
}

function smallIn(groups: WaitingFile[][], settings: PlanSettings): WaitingFile[] {
  // an output of files in no group is in each
  return smallOf([...new Set(groups.flat())], settings);
}

function fingerprintsOf(files: WaitingFile[]): string[] {
  const inOrder = files.filter((file) => apartGroupOf(file) === undefined)
    .sort((one, other) => one.seq_min - other.seq_min);
  return [...new Set(inOrder.map((file) => file.schema_fingerprint))];
}

/** The groups with the most files, and as one more, which nothing is known to come to, as many as any of the rest has. */
function withRest(groups: WaitingGroup[]): WaitingGroup[] {
  const [told, rest] = [groups.slice(0, mostGroups - 1), groups.slice(mostGroups - 1)];
  const tiers = Math.max(...rest.map(({ files }) => files.length));
  const places = Array.from({ length: tiers }, (_, tier) => tier);
  return [...told, {
    schemas: [],
    files: places.map((tier) => Math.max(...rest.map(({ files }) => files[tier] ?? 0))),
    oldest: places.map((tier) =>
      rest.map(({ oldest }) => oldest[tier] ?? null).filter((at) => at !== null)
        .sort((one, other) => Date.parse(one) - Date.parse(other)).at(0) ?? null
    ),
  }];
}

function sum(counts: number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
