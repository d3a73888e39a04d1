/** What compaction needs from outside; adapters and fakes are given by whoever composes them. */
import type { MergePlan, MergeResult, Sink } from "../parquet/merge_plan.ts";
import type { RangeReader } from "../parquet/range_reader.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { Clock } from "./clock.ts";
import type { PlanFile } from "./plan.ts";

/** Temporary. */
export interface ClaimedFile extends PlanFile {
  object_key: string;
  start_byte: number;
}
export interface Claim {
  claimed: true;
  run_id: string;
  dataset_id: string;
  table: string;
  period_tag: string;
  priority: string;
  token: number;
  lease_expires_at: string;
  outputs_committed: number;
  settings: {
    target_file_bytes: number;
    target_row_group_bytes: number;
    healthy_row_group_bytes: number;
    target_page_bytes: number;
    min_inputs: number;
    max_age_seconds: number;
    codec: "snappy" | "zstd";
  };
  files: ClaimedFile[];
  more: boolean;
  cursor: string | null;
  forced: boolean;
}
export interface RunCatalog {
  listFragments(
    a: { run: string; token: number; cursor: string },
  ): Promise<{ files: ClaimedFile[]; more: boolean; cursor: string }>;
  claimCompaction(
    a: { worker: string; leaseSeconds: number },
  ): Promise<Claim | { claimed: false; reason?: string }>;
  stageOutput(
    a: { run: string; n: number; token: number; expectedBytes: number },
  ): Promise<{ object_key: string }>;
  // deno-lint-ignore no-explicit-any
  commitCompaction(a: any): Promise<any>;
  renewLease(a: { run: string; token: number; seconds: number }): Promise<unknown>;
  // deno-lint-ignore no-explicit-any
  recordStep(a: any): Promise<unknown>;
  // deno-lint-ignore no-explicit-any
  quarantineFile(a: any): Promise<unknown>;
  // deno-lint-ignore no-explicit-any
  failCompaction(a: any): Promise<any>;
}
/** The merge, as `shared/parquet/merge.ts` has it. */
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
  clock: Clock;
  /** `shared/parquet/merge.ts`, or what stands in for it. */
  merge: Merge;
}
