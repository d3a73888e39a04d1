import { normalizer } from "./decode/normalize.ts";
import type { WasmLoader } from "../../wasm/pinned_module.ts";
import type { ParquetLimits } from "../format/limits.ts";
import type { MergePlan, MergeResult, Sink } from "./merge_plan.ts";
import { mergePages } from "./page_merge.ts";
import type { RangeReader } from "../format/range_reader.ts";
import { planByName } from "./union/plan_by_name.ts";
import { schemaFromJson } from "./union/schema_from_json.ts";

/** How a merge runs. */
export interface MergeOptions {
  /** Replaces some of the default limits on inputs. */
  limits?: Partial<ParquetLimits>;
  /** Stops the merge; it then throws `aborted`, and the sink holds a part of a file. */
  signal?: AbortSignal;
  /** Where parquet_wasm_bg.wasm comes from, when the decode path is taken. @default node_modules of the checkout */
  wasm?: WasmLoader;
  /** Where zstd.wasm comes from, when zstd is written. @default node_modules of the checkout */
  zstd?: WasmLoader;
}

/**
 * Merges files into one, in the plan's order: healthy row groups are copied, pages of others are joined, and what
 * the kernels don't know is decoded and encoded again first. The output has `plan.schema`, else the schema of the
 * first input that can be read; columns are matched by name at every depth, missing ones are null and narrower
 * types widened. An input that is broken, or has no place in the output without loss, is rejected whole and the
 * rest is merged. Rows are always compared.
 *
 * Throws `merge_rows_differ` when no input was rejected and the rows aren't `plan.expectedRows`, `aborted`, and
 * whatever a reader or the sink throws that isn't the input's fault (`store_failed`). When every input was rejected
 * nothing is written and `byteLength` is 0.
 */
export function merge(
  plan: MergePlan,
  readers: Map<string, RangeReader>,
  sink: Sink,
  options: MergeOptions = {},
): Promise<MergeResult> {
  return mergePages(plan, readers, sink, {
    limits: options.limits,
    signal: options.signal,
    zstd: options.zstd,
    schema: plan.schema === undefined ? undefined : schemaFromJson(plan.schema),
    planSource: (output) => planByName(output, plan.union),
    normalize: normalizer(options),
  });
}
