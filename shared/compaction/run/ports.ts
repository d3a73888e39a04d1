/** What compaction needs from outside; adapters and fakes are given by whoever composes them. */
import type { Catalog } from "../../catalog/catalog.ts";
import type { MergePlan, MergeResult, Sink } from "../../parquet/merge/merge_plan.ts";
import type { RangeReader } from "../../parquet/format/range_reader.ts";
import type { ObjectStore } from "../../storage/object_store.ts";
import type { ObjectLimit } from "../../catalog/object_limit.ts";
import type { Log } from "../../log.ts";
import type { Clock } from "../../clock.ts";
import type { UniteSchemas } from "../plan/schema_groups.ts";

export type { Claim, InputFile } from "../../catalog/run_results.ts";

/** The catalog's part in a run. */
export type RunCatalog = Pick<
  Catalog,
  | "claimCompaction"
  | "listFragments"
  | "stageOutput"
  | "commitCompaction"
  | "renewLease"
  | "recordStep"
  | "quarantineFile"
  | "setApart"
  | "failCompaction"
  | "finishProbe"
  | "passControl"
>;

/** The merge, as `shared/parquet/merge/merge.ts` has it. */
export type Merge = (
  plan: MergePlan,
  readers: Map<string, RangeReader>,
  sink: Sink,
  options: { signal: AbortSignal },
) => Promise<MergeResult>;

/** Ports of a worker's turn. */
export interface CompactionPorts {
  catalog: RunCatalog;
  store: ObjectStore;
  /** What the store takes as one object. @default it is not known */
  objectLimit?: ObjectLimit;
  clock: Clock;
  merge: Merge;
  /** Which schemas may meet in an output. @default uniteSchemas */
  unite?: UniteSchemas;
  /** Is told each step. @default nobody */
  log?: Log;
}
