/**
 * What a run does with the files of its partition: a pure function whose decision is kept with the run, in
 * words, also when it decides to do nothing.
 */
import { MiB } from "../../parquet/format/healthy_group.ts";
import type { HostLimits } from "../../compression/host_limits.ts";
import type { SchemaJson } from "../../parquet/format/schema_json.ts";
import { type Choice, chooseFiles, nextDue } from "./choose_files.ts";
import {
  byUploadOrder,
  dedupes,
  isFragmented,
  isFullGrown,
  leavesOut,
  type PlanFile,
  type PlanSettings,
  rewriteReason,
  settlesAt,
  sorts,
} from "./data_file.ts";
import { apartGroupOf, apartText } from "./apart_files.ts";
import { bytesText, cutText, decisionText, filesText } from "./decision_text.ts";
import { leafCounter } from "./leaf_counter.ts";
import type { MergeCost } from "./merge_cost.ts";
import { maxSortedRows } from "./merge_order.ts";
import type { MergeWork } from "./merge_work.ts";
import { type OutputLimits, OutputPacker, turnBudget } from "./pack_outputs.ts";
import { worthwhileParts } from "./write_amplification.ts";
import { groupSchemas, type SchemaGroup, type UniteSchemas } from "./schema_groups.ts";
import { type Oversize, oversizedText } from "./oversized_files.ts";
import { haveNoneBetween, neighbours, stretches } from "./upload_neighbours.ts";

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
  /** What one output may cost: a turn makes one at least. @default turnBudget */
  budget?: MergeCost;
  /** What the host that merges can decompress: what it can't is decoded. @default all */
  host?: HostLimits;
  /** Whether the store takes outputs piece by piece. @default false: they are held in memory until they are put */
  streams?: boolean;
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
  /** How its inputs' column chunks are taken. */
  paths: MergeWork["paths"];
  /** What the merge is expected to cost. */
  cost: MergeCost;
  /** Why these files, in words. */
  reason: string;
}

/** The answer. */
export interface Plan<F extends PlanFile> {
  outputs: PlannedOutput<F>[];
  /** Everything that was decided and why, in words. */
  decision: string;
  /** Files that stay as they are, since taking them apart costs more than an output may; the decision names the worst. */
  leftAlone: number;
  /** When a file that was left alone becomes old enough to be merged, or null. */
  nextDueAt: Date | null;
  /** The small files of each group in which files may meet; where the last writer wins the last is that which can grow. */
  groups: F[][];
}

/** What bounds an output where nothing else is said. */
export const defaultLimits: OutputLimits = {
  maxInputs: 1000,
  maxUncompressedBytes: 256 * MiB,
  maxRows: Infinity,
  maxChunks: 32_768,
};

/** When a file is looked at again from which rows are to be left out, and which is too large for now. */
const overdueSeconds = 3600;

/** Of a merge that sorts or dedupes all rows wait in memory at once. */
const sortedLimits = { maxUncompressedBytes: 96 * MiB, maxRows: maxSortedRows };

/**
 * Plans one partition. Files whose schemas have no union never meet in an output; in a table that dedupes neither
 * do files with another between them, be it in quarantine, of such a schema or full grown: a row in it may be
 * older than one input's and newer than the other's. A file that costs more than a turn may is left alone.
 */
export function planCompaction<F extends PlanFile>(request: PlanRequest<F>): Plan<F> {
  const { files, settings, forced, now } = request;
  const deduping = dedupes(settings);
  const limits = { ...defaultLimits, ...(sorts(settings) && sortedLimits), ...request.limits };
  const packer = new OutputPacker({
    settings,
    limits,
    budget: request.budget ?? turnBudget,
    host: request.host ?? { gzip: true, brotli: true },
    streams: request.streams ?? false,
    leavesOf: leafCounter(request.schemas),
  });
  const sound = files.filter((file) => file.state === "active").sort(byUploadOrder);
  const oversized = new Map<F, Oversize>();
  // its schema's group, when that is known: what has to become another schema can't be copied
  const weigh = (file: F, group?: SchemaGroup) => {
    const isLeft = isFullGrown(file, settings) && !isFragmented(file, settings) &&
      settlesAt(file, settings) === null;
    if (!rewriteReason(file) && isLeft) return;
    const oversize = packer.oversizeOf(file, group);
    if (oversize !== undefined) oversized.set(file, oversize);
  };
  sound.forEach((file) => weigh(file));
  const outputs: PlannedOutput<F>[] = [];
  const notes: string[] = [];
  let nextDueAt: Date | null = null;

  const schemas = new Set(sound.map((file) => file.schema_fingerprint)).size;
  const united = sound.filter((file) => !oversized.has(file) && apartGroupOf(file) === undefined);
  const schemaGroups = schemaGroupsOf(united, request);
  const unionOf = (file: F): SchemaGroup | undefined =>
    apartGroupOf(file) === undefined ? schemaGroups.get(file.schema_fingerprint) : undefined;
  for (const file of sound) {
    const group = unionOf(file);
    if (group?.schema !== undefined && !oversized.has(file)) weigh(file, group);
  }
  // What is marked is written anew by itself, and merged with others once it is what it should be.
  const marked = sound.filter((file) => rewriteReason(file) && !oversized.has(file));
  for (const file of marked) {
    outputs.push(rewritten(file, packer));
  }
  const active = sound.filter((file) => !oversized.has(file) && !rewriteReason(file));
  const groupOf = (file: F): SchemaGroup | string =>
    apartGroupOf(file) ?? unionOf(file) ?? file.schema_fingerprint;
  const isBarrier = (file: F) =>
    file.state !== "active" || oversized.has(file) || Boolean(rewriteReason(file));
  const groups = deduping
    ? neighbours(files, settings, groupOf, isBarrier)
    : [...Map.groupBy(active, groupOf).values()];
  const isSettling = (file: F) => {
    const at = settlesAt(file, settings);
    return at !== null && at <= now;
  };
  const smallOf: F[][] = [];
  for (const group of groups) {
    for (const file of group) {
      if (!isFragmented(file, settings) || !isFullGrown(file, settings)) continue;
      const size = bytesText(Math.round(file.uncompressed_bytes / file.row_group_count));
      const reason = `its ${file.row_group_count} row groups are of ${size}`;
      outputs.push(output([file], packer, reason));
    }
    const small = group.filter((file) => !isFullGrown(file, settings));
    smallOf.push(small);
    const schemaGroup = small.length > 0 ? unionOf(small[0]) : undefined;
    const choice = chooseFiles(small, settings, forced, now);
    const cut = (deduping ? stretches(small, choice.files) : [choice.files])
      .flatMap((chosen) => packer.pack(chosen, schemaGroup))
      .filter((inputs) => !deduping || haveNoneBetween(files, inputs));
    const packed = cut.length === 1 || forced
      ? cut.filter((inputs) => inputs.length > 1)
      : cut.flatMap((inputs) => worthwhileParts(inputs, settings));
    outputs.push(...packed.map((inputs) => output(inputs, packer, choice.reason, schemaGroup)));
    const taken = new Set(packed.flat());
    const left = small.filter((file) => !taken.has(file) && !isSettling(file));
    if (left.length > 0) {
      const isApart = apartGroupOf(left[0]) !== undefined;
      notes.push(isApart ? apartText(left) : noteOn(left, choice, settings));
    }
    const due = nextDue(left, settings, now);
    if (due !== null && (nextDueAt === null || due < nextDueAt)) nextDueAt = due;
  }

  const planned = new Set(outputs.flatMap(({ inputs }) => inputs));
  for (const file of active) {
    const due = planned.has(file) ? null : settlesAt(file, settings);
    if (due === null) continue;
    if (due <= now) {
      outputs.push(
        output([file], packer, `alone after max_age ${settings.max_age_seconds} s, for the lake`),
      );
    } else if (nextDueAt === null || due < nextDueAt) nextDueAt = due;
  }
  const grown = active.filter((file) =>
    isFullGrown(file, settings) && !isFragmented(file, settings) && !isSettling(file)
  );
  if (grown.length > 0) notes.push(`${filesText(grown.length)} full grown`);
  notes.push(...oversizedText(oversized));
  if (oversized.keys().some(leavesOut)) {
    nextDueAt ??= new Date(now.getTime() + overdueSeconds * 1000);
  }
  const quarantined = files.length - sound.length;
  if (quarantined > 0) notes.push(`${filesText(quarantined)} in quarantine`);
  const decision = decisionText({ outputs, files: files.length, schemas, notes, nextDueAt });
  return {
    outputs,
    decision: decision + refusalText(schemaGroups),
    leftAlone: oversized.size,
    nextDueAt,
    groups: smallOf,
  };
}

/** The schema group of each file that may be merged. Full grown files are left out: the union must not get their columns. */
function schemaGroupsOf<F extends PlanFile>(
  active: F[],
  { settings, schemas, unite }: PlanRequest<F>,
): Map<string, SchemaGroup> {
  if (schemas === undefined || unite === undefined) return new Map();
  const small = active.filter((file) => !isFullGrown(file, settings));
  const fingerprints = [...new Set(small.map((file) => file.schema_fingerprint))];
  const groups = groupsOfSchemas(fingerprints, settings, schemas, unite);
  return new Map(
    groups.flatMap((group) => group.fingerprints.map((fingerprint) => [fingerprint, group])),
  );
}

/** The groups that a plan by these settings makes of fingerprints, which are given in upload order. */
export function groupsOfSchemas(
  fingerprints: readonly string[],
  settings: PlanSettings,
  schemas: Readonly<Record<string, SchemaJson>>,
  unite: UniteSchemas,
): SchemaGroup[] {
  const { lake } = settings;
  return groupSchemas(fingerprints, schemas, settings.dedupe_keys ?? [], unite, {
    uuidAsText: settings.unite_uuid_as_text ?? false,
  }, lake && [lake.dataset_column, lake.period_column]);
}

function output<F extends PlanFile>(
  inputs: F[],
  packer: OutputPacker,
  reason: string,
  group?: SchemaGroup,
): PlannedOutput<F> {
  const work = packer.workOf(inputs, group);
  const schemas = new Set(inputs.map((file) => file.schema_fingerprint)).size;
  return {
    inputs,
    bytes: inputs.reduce((sum, file) => sum + file.byte_length, 0),
    expectedRows: inputs.reduce((sum, file) => sum + file.row_count, 0),
    ...(schemas > 1 && { schema: group?.schema }),
    paths: work.paths,
    cost: packer.costOf(work),
    reason: schemas > 1 ? `${reason}, ${schemas} schemas united` : reason,
  };
}

/** A marked file's output, in the schema that it should have. */
function rewritten<F extends PlanFile>(file: F, packer: OutputPacker): PlannedOutput<F> {
  const schema = file.rewrite?.schema ?? null;
  return {
    ...output([file], packer, rewriteReason(file)!),
    ...(schema !== null && { schema: schema as SchemaJson }),
  };
}

function noteOn(left: PlanFile[], choice: Choice<PlanFile>, settings: PlanSettings): string {
  if (choice.files.length > 1) return `${filesText(left.length)} that fit in no output with others`;
  if (left.length === 1) return "1 file with nothing to merge it with";
  return `${filesText(left.length)}, no size tier with min_inputs ${settings.min_inputs}`;
}

/** Why some schemas stay apart, as a further sentence. */
function refusalText(groups: ReadonlyMap<string, SchemaGroup>): string {
  const apart = new Set(groups.values());
  const refusal = [...apart].find((group) => group.refusal !== undefined)?.refusal;
  if (refusal === undefined) return "";
  return ` ${apart.size} groups of schemas stay apart: ${cutText(refusal, 300)}.`;
}
