/** What became of a run, for the worker's answer and its log. */
import type { FailureClass } from "./failure_class.ts";
import type { Claim } from "./ports.ts";

/** See the module's head. */
export interface RunReport {
  run_id: string;
  dataset_id: string;
  table: string;
  period_tag: string;
  /** `lost`: another worker holds the partition, or the run had ended. */
  outcome: "merged" | "nothing" | "failed" | "lost";
  decision?: string;
  outputs: number;
  /** Lost outputs that were made again. */
  remade: number;
  files_merged: number;
  rows: number;
  bytes_in: number;
  bytes_out: number;
  quarantined: number;
  requeued?: boolean;
  error?: {
    code: string;
    step: string;
    message: string;
    class: FailureClass;
    permanent: boolean;
  };
}

/** The report of a run that has not begun. */
export function emptyReport(claim: Claim): RunReport {
  return {
    run_id: claim.run_id,
    dataset_id: claim.dataset_id,
    table: claim.table,
    period_tag: claim.period_tag,
    outcome: "nothing",
    outputs: 0,
    remade: 0,
    files_merged: 0,
    rows: 0,
    bytes_in: 0,
    bytes_out: 0,
    quarantined: 0,
  };
}
