import type { SedimentError } from "../../../errors.ts";
import type { WasmLoader } from "../../../wasm/pinned_module.ts";
import type { ConstantColumn } from "../../format/constant_columns.ts";
import type { ParquetLimits } from "../../format/limits.ts";
import type { MergeOrder } from "./row_order.ts";
import type { RangeReader } from "../../format/range_reader.ts";
import type { SchemaTree } from "../../format/schema.ts";
import type { PlanSource } from "../union/source_plan.ts";
import type { RowOrigins } from "../../write/row_origins.ts";

/** Gives an input in a form that the kernels know; `error` says what they didn't. */
export type Normalize = (
  id: string,
  reader: RangeReader,
  error: SedimentError,
) => Promise<RangeReader>;

/** What a run needs of the merge's options. */
export interface RunOptions {
  /** Replaces some of the default limits on inputs. */
  limits?: Partial<ParquetLimits>;
  /** Stops the merge; it then throws `aborted`, and the sink holds a part of a file. */
  signal?: AbortSignal;
  /** Where zstd.wasm comes from, by which pages are written in zstd. @default node_modules of the checkout */
  zstd?: WasmLoader;
  /** The output's schema. @default the first readable input's */
  schema?: SchemaTree;
  /** How files of other schemas fill the output's. @default only files of the output's schema are taken */
  planSource?: (output: SchemaTree) => PlanSource;
  /** Gives an input again in a form that the kernels know (PLAIN, uncompressed), when they don't know it. */
  normalize?: Normalize;
  /** How the rows are sorted and deduplicated; of the plan. Without a key rows are only left out by `drop`. */
  order?: MergeOrder;
  /** Rows of these origins are left out; of the plan. */
  drop?: ReadonlySet<number>;
  /** Columns that the output gets beside those of its inputs; of the plan. */
  constants?: readonly ConstantColumn[];
  /** By id, how many of an input's last columns an earlier merge gave it, as far as it gave any; of the plan. */
  givenColumns?: ReadonlyMap<string, number>;
  /** Where the rows of inputs came from, by id, as far as it is known; of the plan. */
  origins?: ReadonlyMap<string, RowOrigins>;
}
