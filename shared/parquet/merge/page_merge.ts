import { SedimentError } from "../../errors.ts";
import { withoutConstants } from "../format/constant_columns.ts";
import { fileStatistics } from "../inspect/file_statistics.ts";
import type { KernelLimits } from "../kernels/kernels.ts";
import { mergeFacts } from "../inspect/merge_facts.ts";
import type { MergePlan, MergeResult, Sink } from "./merge_plan.ts";
import { type MergeSettings, mergeSettings } from "./pages/merge_settings.ts";
import { PageMerge } from "./pages/merge_run.ts";
import { ReadAhead } from "./pages/read_ahead.ts";
import { alone } from "./pages/open_group.ts";
import { rejection } from "./pages/recovery.ts";
import type { RunOptions } from "./pages/run_options.ts";
import { readingText } from "../key_values/key_value_union.ts";
import { isTrap } from "../kernels/trap.ts";
import { type RangeReader, throwIfAborted } from "../format/range_reader.ts";
import type { SchemaTree } from "../format/schema.ts";
import { schemaJson } from "../format/schema_json.ts";
import { schemaFingerprint } from "../format/schema_fingerprint.ts";
import { mostRuns, RowOrigins } from "../write/row_origins.ts";

/** How a page merge runs; the order of its rows, and which are left out, is the plan's. */
export interface PageMergeOptions
  extends Omit<RunOptions, "order" | "drop" | "origins" | "constants" | "givenColumns"> {
  /** Replaces some of the sizes by which the merge goes. */
  settings?: Partial<MergeSettings>;
  /** Replaces some of the kernels' limits. */
  kernels?: Partial<KernelLimits>;
}

/**
 * Merges files page by page into one, in the plan's order: healthy row groups are copied as bytes, the pages of
 * others are joined without building values. An input that is broken is rejected whole, and one that can't fill the
 * output's schema or is to be read otherwise is set apart, and the rest is merged; bytes of a large one that were written by then stay in the output
 * unreferenced. Memory is bounded by `settings`, whatever the input.
 *
 * Throws `merge_rows_differ` when no input was rejected and the rows aren't `plan.expectedRows`, `output_refused` when
 * the output's footer would not pass the checks of an upload, `aborted`, and whatever a reader or the sink throws that
 * isn't the input's fault. When every input was rejected,
 * `byteLength` is 0, and what the sink got is no file.
 */
export async function mergePages(
  plan: MergePlan,
  readers: Map<string, RangeReader>,
  sink: Sink,
  options: PageMergeOptions = {},
): Promise<MergeResult> {
  const { signal, limits } = options;
  const settings = mergeSettings(plan.target, {
    ...(limits?.pageBytes !== undefined && { pageBytes: limits.pageBytes }),
    ...(limits?.pageValues !== undefined && { pageValues: limits.pageValues }),
    ...options.kernels,
  }, options.settings);
  const run = new PageMerge(sink, settings, {
    ...options,
    // rows that are left out are looked for where rows are sorted
    order: plan.order ?? (plan.drop === undefined ? undefined : { sort: [] }),
    drop: plan.drop,
    constants: plan.constants,
    givenColumns: new Map(
      plan.inputs.flatMap(({ id, givenColumns = 0 }) =>
        givenColumns > 0 ? [[id, givenColumns]] : []
      ),
    ),
    origins: new Map(
      plan.inputs.flatMap(({ id, origins }) => origins === undefined ? [] : [[id, origins]]),
    ),
  });
  const missing = plan.inputs.find(({ id }) => !readers.has(id));
  if (missing !== undefined) {
    throw new SedimentError("internal", `there is no reader for ${missing.id}`);
  }
  const ours = new Set(plan.inputs.filter(({ level }) => level > 0).map(({ id }) => id));
  const merged: string[] = [];
  const rejected: MergeResult["rejected"] = [];
  const inputs = new ReadAhead(plan.inputs, readers, settings, signal);
  for (let next = inputs.next(); next !== undefined; next = inputs.next()) {
    const input = await next;
    inputs.taken(input);
    throwIfAborted(signal);
    try {
      if (!run.addKnown(input)) await run.add(input, ours.has(input.id));
      else if (run.isFull) await run.flush();
      merged.push(input.id);
    } catch (error) {
      if (isTrap(error)) await run.recover();
      const left = rejection(error, input.id);
      rejected.push(run.lacksMemory(error) ? alone(left) : left);
    }
    if (input.bytes !== undefined) input.reader.release?.(input.bytes);
  }
  return await finish(plan, run, merged, rejected);
}

async function finish(
  plan: MergePlan,
  run: PageMerge,
  merged: string[],
  rejected: MergeResult["rejected"],
): Promise<MergeResult> {
  const tree = run.outputSchema;
  if (tree === undefined || merged.length === 0) return nothing(tree, rejected);
  const left = () => {
    const out = new Set(run.leftOut.map(({ id }) => id));
    return merged.filter((id) => !out.has(id));
  };
  let origins: MergeResult["origins"];
  const written = await run.finish(() => {
    const bytes = originsOf(plan, run, left())?.encode();
    if (bytes !== undefined) origins = { start: run.byteLength, length: bytes.length };
    return bytes;
  });
  const metadata = withoutConstants(written, run.constants?.length ?? 0);
  rejected.push(...run.leftOut);
  const kept = left();
  if (kept.length === 0) return nothing(tree, rejected);
  const rows = metadata.rowGroups.reduce((sum, group) => sum + group.numRows, 0);
  const read = rows + run.droppedRows;
  if (read !== run.rowsRead || (rejected.length === 0 && read !== plan.expectedRows)) {
    throw new SedimentError(
      "merge_rows_differ",
      `the output has ${rows} rows and ${run.droppedRows} were left out, its inputs ${run.rowsRead}, and the plan expects ` +
        `${plan.expectedRows}`,
    );
  }
  const deleted = run.deletedRows.values().reduce((sum, count) => sum + count, 0);
  const reading = readingText({ keyValues: metadata.keyValues, tree, rowCount: rows });
  return {
    rowCount: rows,
    rowGroupCount: metadata.rowGroups.length,
    byteLength: run.byteLength,
    uncompressedBytes: metadata.rowGroups.reduce((sum, group) => sum + group.totalByteSize, 0),
    valueCount: metadata.rowGroups.reduce(
      (sum, { columns }) =>
        columns.reduce((values, { metaData }) => values + metaData!.numValues, sum),
      0,
    ),
    schemaFingerprint: schemaFingerprint(tree, reading),
    schema: schemaJson(tree, reading),
    stats: fileStatistics(metadata, tree),
    mergeFacts: mergeFacts(metadata, tree),
    ...(plan.constants !== undefined && { hasConstants: run.constants !== undefined }),
    ...(plan.order?.dedupe !== undefined && { droppedRows: run.droppedRows - deleted }),
    ...(plan.order !== undefined && { sortedRanges: run.sortedRanges }),
    ...(plan.drop !== undefined && {
      deletedRows: new Map([...plan.drop].map((one) => [one, run.deletedRows.get(one) ?? 0])),
    }),
    ...(origins !== undefined && { origins }),
    merged: kept,
    rejected,
  };
}

/** Where the output's rows came from; undefined where that is not known of all, or too much to keep. */
function originsOf(
  { inputs, order, drop }: MergePlan,
  run: PageMerge,
  merged: readonly string[],
): RowOrigins | undefined {
  const known = new Map(inputs.map(({ id, origins }) => [id, origins]));
  if (merged.some((id) => known.get(id) === undefined)) return undefined;
  let origins = new RowOrigins();
  if (order !== undefined) origins = run.sortedOrigins;
  else for (const id of merged) origins.addFrom(known.get(id)!);
  if (drop !== undefined) origins = origins.without(drop);
  return origins.runCount <= mostRuns && origins.isKnown ? origins : undefined;
}

/** The result of a merge that took no input. */
function nothing(
  tree: SchemaTree | undefined,
  rejected: MergeResult["rejected"],
): MergeResult {
  return {
    rowCount: 0,
    rowGroupCount: 0,
    byteLength: 0,
    uncompressedBytes: 0,
    valueCount: 0,
    schemaFingerprint: tree === undefined ? "" : schemaFingerprint(tree),
    schema: tree === undefined ? { name: "" } : schemaJson(tree),
    stats: {},
    mergeFacts: null,
    merged: [],
    rejected,
  };
}
