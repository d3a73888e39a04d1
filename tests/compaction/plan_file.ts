/** What the tests of the planner plan: small files, uploaded a minute before their clock. */
import type { PlanFile, PlanSettings } from "../../shared/compaction/plan/data_file.ts";

const MiB = 1024 * 1024;

/** The planner's clock. */
export const now = new Date("2026-11-22T12:00:00Z");

/** The settings that a test changes where it is about one. */
export const settings: PlanSettings = {
  target_file_bytes: 32 * MiB,
  healthy_row_group_bytes: 2 * MiB,
  min_inputs: 4,
  max_age_seconds: 3600,
};

let nextId = 1;

/** A data file; uploaded a minute ago unless said otherwise. */
export function file(some: Partial<PlanFile> = {}): PlanFile {
  const id = nextId++;
  return {
    id,
    byte_length: 15_000,
    level: 0,
    seq_min: id,
    seq_max: id,
    row_count: 100,
    row_group_count: 1,
    uncompressed_bytes: 30_000,
    schema_fingerprint: "s1",
    state: "active",
    uploaded_at: new Date(now.getTime() - 60_000).toISOString(),
    ...some,
  };
}
