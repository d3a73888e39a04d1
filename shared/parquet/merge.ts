import { asSedimentError, SedimentError } from "../errors.ts";
import { MergeBatches } from "./decode/merge_batches.ts";
import { type WasmLoader } from "./decode/wasm_module.ts";
import { WasmPool } from "./decode/wasm_pool.ts";
import { InputFile } from "./input_file.ts";
import { commonKeyValues } from "./key_values.ts";
import type { ParquetLimits } from "./limits.ts";
import type { MergePlan, MergeResult, Sink } from "./merge_plan.ts";
import { OutputFile } from "./output_file.ts";
import { atPlace, parquetError } from "./parquet_error.ts";
import { type RangeReader, throwIfAborted } from "./range_reader.ts";
import { schemaFingerprint, schemaJson, schemaText, shapeText } from "./schema.ts";

/** How a merge runs. */
export interface MergeOptions {
  /** Replaces some of the default limits on inputs. */
  limits?: Partial<ParquetLimits>;
  /** Stops the merge; it then throws `aborted`, and the sink holds a part of a file. */
  signal?: AbortSignal;
  /** Where parquet_wasm_bg.wasm comes from. @default node_modules of the checkout */
  wasm?: WasmLoader;
}

/**
 * Merges files of one schema into one file, in the plan's order. An input that is broken, or whose schema is
 * another than the first's, is rejected whole and the rest is merged. Rows are always compared.
 *
 * Throws `merge_rows_differ` when no input was rejected and the rows aren't `plan.expectedRows`, `aborted`, and
 * whatever a reader or the sink throws that is retryable (`store_failed`): nothing is known of an input then.
 * When every input was rejected nothing is written and `byteLength` is 0.
 */
export async function merge(
  plan: MergePlan,
  readers: Map<string, RangeReader>,
  sink: Sink,
  options: MergeOptions = {},
): Promise<MergeResult> {
  const { signal } = options;
  const pool = await WasmPool.open(options.wasm);
  const rejected: MergeResult["rejected"] = [];
  let first: InputFile | undefined;
  let output: OutputFile | undefined;
  let batches: MergeBatches | undefined;
  for (const { id } of plan.inputs) {
    throwIfAborted(signal);
    try {
      const input = await InputFile.open(id, readerOf(readers, id), options.limits, signal);
      if (first === undefined) {
        first = input;
        output = new OutputFile(sink, input.facts.tree);
        batches = new MergeBatches(pool, input.facts.tree, plan.target, output, signal);
      } else {
        checkSameSchema(first, input);
      }
      await batches!.add(input);
    } catch (error) {
      rejected.push({ id, error: rejection(error, id) });
    }
  }
  await batches?.finish();
  rejected.push(...batches?.rejected ?? []);
  if (first === undefined || batches!.merged.length === 0) {
    return {
      rowCount: 0,
      rowGroupCount: 0,
      byteLength: 0,
      uncompressedBytes: 0,
      schemaFingerprint: first === undefined ? "" : first.facts.schemaFingerprint,
      schema: first === undefined ? { name: "" } : first.facts.schema,
      stats: {},
      merged: [],
      rejected: inPlanOrder(rejected, plan),
    };
  }
  const merged = batches!.merged;
  const rows = merged.reduce((sum, input) => sum + input.facts.rowCount, 0);
  if (output!.rowCount !== rows || (rejected.length === 0 && rows !== plan.expectedRows)) {
    throw new SedimentError(
      "merge_rows_differ",
      `the output has ${output!.rowCount} rows, its inputs ${rows}, and the plan expects ` +
        `${plan.expectedRows}`,
    );
  }
  const stats = await output!.finish(
    commonKeyValues(merged.map((input) => input.facts.footer.metadata.keyValues)),
  );
  return {
    rowCount: rows,
    rowGroupCount: output!.rowGroupCount,
    byteLength: output!.byteLength,
    uncompressedBytes: output!.uncompressedBytes,
    schemaFingerprint: schemaFingerprint(first.facts.tree),
    schema: schemaJson(first.facts.tree),
    stats,
    merged: merged.map((input) => input.id),
    rejected: inPlanOrder(rejected, plan),
  };
}

function readerOf(readers: Map<string, RangeReader>, id: string): RangeReader {
  const reader = readers.get(id);
  if (reader === undefined) {
    throw new SedimentError("internal", `there is no reader for input ${id}`);
  }
  return reader;
}

/** The reason for which an input is left out; throws what is not the input's fault. */
function rejection(error: unknown, id: string): SedimentError {
  const known = asSedimentError(error);
  if (known.retryable || known.status >= 500) throw known;
  return atPlace(known, { file: id }) as SedimentError;
}

function checkSameSchema(first: InputFile, input: InputFile): void {
  const [one, other] = [first.facts, input.facts];
  if (
    one.schemaFingerprint === other.schemaFingerprint &&
    shapeText(one.tree) === shapeText(other.tree)
  ) return;
  const cut = (text: string) => text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
  throw parquetError(
    "schema_incompatible",
    `the schema ${cut(schemaText(other.tree))} is not that of the merge's first file`,
    { file: input.id },
    { expected: cut(schemaText(one.tree)) },
  );
}

function inPlanOrder(rejected: MergeResult["rejected"], plan: MergePlan): MergeResult["rejected"] {
  const order = new Map(plan.inputs.map(({ id }, i) => [id, i]));
  return rejected.sort((a, b) => order.get(a.id)! - order.get(b.id)!);
}
