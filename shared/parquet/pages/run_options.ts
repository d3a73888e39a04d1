import type { SedimentError } from "../../errors.ts";
import type { ZstdLoader } from "../kernels/zstd.ts";
import type { ParquetLimits } from "../limits.ts";
import type { MergeOrder } from "../merge_plan.ts";
import type { RangeReader } from "../range_reader.ts";
import type { SchemaTree } from "../schema.ts";
import type { PlanSource } from "./source_plan.ts";

/** Gives an input in a form that the kernels know; `error` says what they didn't. */
export type Normalize = (
  id: string,
  reader: RangeReader,
  error: SedimentError,
) => Promise<RangeReader>;

/** What a run needs of the merge's options. */
export interface RunOptions {
  limits?: Partial<ParquetLimits>;
  signal?: AbortSignal;
  zstd?: ZstdLoader;
  schema?: SchemaTree;
  planSource?: (output: SchemaTree) => PlanSource;
  normalize?: Normalize;
  order?: MergeOrder;
}
