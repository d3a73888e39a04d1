/**
 * What a run does with the files of its partition: a pure function whose decision is kept with the run, in
 * words, also when it decides to do nothing.
 */
import type { SchemaJson } from "../parquet/schema.ts";
import { maxDedupeRows } from "./merge_order.ts";
import { groupSchemas, type SchemaGroup, type UniteSchemas } from "./schema_groups.ts";
import { chooseByTier, tierOf, tierRatio } from "./tiers.ts";

/** What the planner needs to know of a data file; the shape of `claim_compaction`'s files. */
export interface PlanFile {
  id: number;
  byte_length: number;
  level: number;
  /** First and last upload that is in the file. */
  seq_min: number;
  seq_max: number;
  row_count: number;
  row_group_count: number;
  uncompressed_bytes: number;
  schema_fingerprint: string;
  /** `active`, or `quarantined`: listed to readers, never merged. */
  state: string;
  uploaded_at: string;
}

/** The table's settings that matter here. */
export interface PlanSettings {
  target_file_bytes: number;
  healthy_row_group_bytes: number;
  min_inputs: number;
  max_age_seconds: number;
  /** Columns of which the last writer wins; where there are any, only neighbours in upload order are merged. */
  dedupe_keys?: string[];
}

/** What the planner is asked. */
export interface PlanRequest<F extends PlanFile> {
  files: F[];
  settings: PlanSettings;
  /** Schemas by fingerprint, as far as they are known. @default none */
  schemas?: Readonly<Record<string, SchemaJson>>;
  /** Which schemas have a union. @default none has one: only files of one fingerprint meet */
  unite?: UniteSchemas;
  /** Manual priority: merges below `min_inputs` too. */
  forced: boolean;
  now: Date;
  limits?: Partial<OutputLimits>;
}

/** Bounds of one output beside its target size. */
export interface OutputLimits {
  /** Most inputs: each costs a fetch and an entry in memory. @default 1000 */
  maxInputs: number;
  /** Most uncompressed bytes that one merge takes in. @default 256 MiB */
  maxUncompressedBytes: number;
  /** Most rows; equal keys are found only among rows that are sorted at once. @default 250,000 when deduping */
  maxRows: number;
}

/** One file to be written. */
export interface PlannedOutput<F extends PlanFile> {
  /** In output order, which is upload order. */
  inputs: F[];
  /** Bytes of the inputs as stored. */
  bytes: number;
  expectedRows: number;
  /** What to write it in, when its inputs are of more than one schema. */
  schema?: SchemaJson;
  /** Why these files, in words. */
  reason: string;
}

/** The answer. */
export interface Plan<F extends PlanFile> {
  outputs: PlannedOutput<F>[];
  /** Everything that was decided and why, in words. */
  decision: string;
  /** When a file that was left alone becomes old enough to be merged, or null. */
  nextDueAt: Date | null;
}

const defaultLimits: OutputLimits = {
  maxInputs: 1000,
  maxUncompressedBytes: 256 * 1024 * 1024,
  maxRows: Infinity,
};

/**
 * Plans one partition. Files whose schemas have no union never meet in an output; in a table that dedupes neither
 * do files with another between them, be it in quarantine, of such a schema or full grown: a row in it may be
 * older than one input's and newer than the other's.
 */
export function planCompaction<F extends PlanFile>(request: PlanRequest<F>): Plan<F> {
  const { files, settings, forced, now } = request;
  const dedupes = (settings.dedupe_keys?.length ?? 0) > 0;
  const limits = {
    ...defaultLimits,
    ...(dedupes ? { maxRows: maxDedupeRows } : {}),
    ...request.limits,
  };
  const active = files.filter((file) => file.state === "active").sort(byUploadOrder);
  const outputs: PlannedOutput<F>[] = [];
  const notes: string[] = [];
  let nextDueAt: Date | null = null;

  const schemas = new Set(active.map((file) => file.schema_fingerprint)).size;
  const schemaGroups = schemaGroupsOf(active, request);
  const groupOf = (file: F): SchemaGroup | string =>
    schemaGroups.get(file.schema_fingerprint) ?? file.schema_fingerprint;
  const groups = dedupes
    ? neighbours(files, settings, groupOf)
    : [...Map.groupBy(active, groupOf).values()];
  for (const group of groups) {
    for (const file of group) {
      if (!isFragmented(file, settings) || !isFullGrown(file, settings)) continue;
      const size = Math.round(file.uncompressed_bytes / file.row_group_count);
      outputs.push(
        output([file], `its ${file.row_group_count} row groups are of ${bytesText(size)}`),
      );
    }
    const small = group.filter((file) => !isFullGrown(file, settings));
    const choice = choose(small, settings, forced, now);
    const packed = (dedupes ? stretches(small, choice.files) : [choice.files])
      .flatMap((chosen) => pack(chosen, settings.target_file_bytes, limits));
    const schema = small.length > 0
      ? schemaGroups.get(small[0].schema_fingerprint)?.schema
      : undefined;
    outputs.push(...packed.map((inputs) => output(inputs, choice.reason, schema)));
    const taken = new Set(packed.flat());
    const left = small.filter((file) => !taken.has(file));
    if (left.length > 0) notes.push(noteOn(left, choice, settings));
    const due = nextDue(left, settings, now);
    if (due !== null && (nextDueAt === null || due < nextDueAt)) nextDueAt = due;
  }

  const apart = new Set(schemaGroups.values());
  const refusal = [...apart].find((group) => group.refusal !== undefined)?.refusal;
  const grown = active.filter((file) =>
    isFullGrown(file, settings) && !isFragmented(file, settings)
  );
  if (grown.length > 0) notes.push(`${filesText(grown.length)} full grown`);
  const quarantined = files.length - active.length;
  if (quarantined > 0) notes.push(`${filesText(quarantined)} in quarantine`);
  return {
    outputs,
    decision: decisionText(outputs, files.length, schemas, notes, nextDueAt) +
      (refusal === undefined
        ? ""
        : ` ${apart.size} groups of schemas stay apart: ${cut(refusal, 300)}.`),
    nextDueAt,
  };
}

/** The group of each schema that a file to be merged has, full grown ones left aside: their columns would be added. */
function schemaGroupsOf<F extends PlanFile>(
  active: F[],
  { settings, schemas, unite }: PlanRequest<F>,
): Map<string, SchemaGroup> {
  if (schemas === undefined || unite === undefined) return new Map();
  const small = active.filter((file) => !isFullGrown(file, settings));
  const fingerprints = [...new Set(small.map((file) => file.schema_fingerprint))];
  const groups = groupSchemas(fingerprints, schemas, settings.dedupe_keys ?? [], unite);
  return new Map(
    groups.flatMap((group) => group.fingerprints.map((fingerprint) => [fingerprint, group])),
  );
}

/** Stretches of sound files of one schema or its group with nothing between them; a full grown one is a stretch of its own. */
function neighbours<F extends PlanFile>(
  files: F[],
  settings: PlanSettings,
  groupOf: (file: F) => unknown,
): F[][] {
  const found: F[][] = [];
  let open: F[] | null = null;
  for (const file of files.toSorted(byUploadOrder)) {
    if (file.state !== "active") {
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
function stretches<F extends PlanFile>(all: F[], chosen: F[]): F[][] {
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

/** Whether a file has reached the size at which it stays as it is. */
function isFullGrown(file: PlanFile, settings: PlanSettings): boolean {
  return tierOf(file.byte_length, settings.target_file_bytes, tierRatio(settings.min_inputs)) ===
    null;
}

/** Whether a file as uploaded has row groups too small to scan well. Ours (level above 0) never count:
 * rewriting them again would give the same. */
function isFragmented(file: PlanFile, settings: PlanSettings): boolean {
  return file.level === 0 && file.row_group_count > 1 &&
    file.uncompressed_bytes / file.row_group_count < settings.healthy_row_group_bytes;
}

interface Choice<F> {
  files: F[];
  reason: string;
}

function choose<F extends PlanFile>(
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
    const tier = (file: F) =>
      tierOf(file.byte_length, settings.target_file_bytes, tierRatio(settings.min_inputs))!;
    const highest = Math.max(...aged.map(tier));
    const chosen = new Set([...byTier, ...small.filter((file) => tier(file) <= highest)]);
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

/** When waiting for company ends for a fragment; our own outputs don't age. */
function dueAt(file: PlanFile, settings: PlanSettings): Date | null {
  if (file.level > 0) return null;
  return new Date(Date.parse(file.uploaded_at) + settings.max_age_seconds * 1000);
}

/** When the first of the files that are left alone may be merged with another for its age. */
function nextDue(left: PlanFile[], settings: PlanSettings, now: Date): Date | null {
  const tier = (file: PlanFile) =>
    tierOf(file.byte_length, settings.target_file_bytes, tierRatio(settings.min_inputs))!;
  let next: Date | null = null;
  for (const file of left) {
    const due = dueAt(file, settings);
    // One that is due and was still left fits nowhere: waiting won't change that.
    if (due === null || due <= now || (next !== null && due >= next)) continue;
    if (left.some((other) => other !== file && tier(other) <= tier(file))) next = due;
  }
  return next;
}

/**
 * Cuts files, in order, into outputs by bytes: one is closed when it is full grown, or when the next
 * file would take it a quarter past the target. A single file is no merge and is left alone.
 */
function pack<F extends PlanFile>(files: F[], targetBytes: number, limits: OutputLimits): F[][] {
  const bins: F[][] = [];
  let bin: F[] = [];
  let bytes = 0;
  let uncompressed = 0;
  let rows = 0;
  for (const file of files) {
    const full = bytes >= targetBytes * 0.75 || bytes + file.byte_length > targetBytes * 1.25 ||
      bin.length >= limits.maxInputs ||
      uncompressed + file.uncompressed_bytes > limits.maxUncompressedBytes ||
      rows + file.row_count > limits.maxRows;
    if (full && bin.length > 0) {
      bins.push(bin);
      bin = [];
      bytes = 0;
      uncompressed = 0;
      rows = 0;
    }
    bin.push(file);
    bytes += file.byte_length;
    uncompressed += file.uncompressed_bytes;
    rows += file.row_count;
  }
  if (bin.length > 0) bins.push(bin);
  return bins.filter((inputs) => inputs.length > 1);
}

function output<F extends PlanFile>(
  inputs: F[],
  reason: string,
  union?: SchemaJson,
): PlannedOutput<F> {
  const schemas = new Set(inputs.map((file) => file.schema_fingerprint)).size;
  return {
    inputs,
    bytes: inputs.reduce((sum, file) => sum + file.byte_length, 0),
    expectedRows: inputs.reduce((sum, file) => sum + file.row_count, 0),
    ...(schemas > 1 && { schema: union }),
    reason: schemas > 1 ? `${reason}, ${schemas} schemas united` : reason,
  };
}

function byUploadOrder(a: PlanFile, b: PlanFile): number {
  return a.seq_min - b.seq_min || a.id - b.id;
}

function noteOn(left: PlanFile[], choice: Choice<PlanFile>, settings: PlanSettings): string {
  if (choice.files.length > 1) return `${filesText(left.length)} that fit in no output with others`;
  if (left.length === 1) return "1 file with nothing to merge it with";
  return `${filesText(left.length)}, no size tier with min_inputs ${settings.min_inputs}`;
}

function decisionText(
  outputs: PlannedOutput<PlanFile>[],
  total: number,
  groups: number,
  notes: string[],
  nextDueAt: Date | null,
): string {
  const parts: string[] = [];
  if (outputs.length === 0) {
    parts.push(`Nothing to do with ${filesText(total)}`);
  } else {
    const inputs = outputs.reduce((sum, { inputs }) => sum + inputs.length, 0);
    const bytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
    const reasons = [...new Set(outputs.map(({ reason }) => reason))].join("; ");
    parts.push(
      `Merge ${inputs} of ${filesText(total)} (${bytesText(bytes)}, ${groups} schema${
        groups === 1 ? "" : "s"
      }) into ${outputs.length}: ${reasons}`,
    );
  }
  if (notes.length > 0) parts.push(`Left alone: ${notes.join("; ")}`);
  if (nextDueAt !== null) parts.push(`Due next at ${nextDueAt.toISOString()}`);
  return parts.join(". ") + ".";
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text.replace(/\.$/, "");
}

function filesText(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
