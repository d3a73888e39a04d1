/** Uploads to one partition through the planner alone: what is merged when, and how often each byte is written. */
import type { PlanFile, PlanSettings } from "../../shared/compaction/plan/data_file.ts";
import { planCompaction } from "../../shared/compaction/plan/plan.ts";

/** The defaults of `service_settings`. */
export const defaultSettings: PlanSettings = {
  target_file_bytes: 32 * 1024 * 1024,
  healthy_row_group_bytes: 2 * 1024 * 1024,
  min_inputs: 4,
  max_age_seconds: 3600,
  codec: "zstd",
};

/** One upload. */
export interface Upload {
  bytes: number;
  /** Seconds since the upload before it. */
  gap: number;
}

/** What became of the uploads. */
export interface Amplification {
  uploadedBytes: number;
  /** Bytes of all merges' inputs, which is what they write. */
  writtenBytes: number;
  merges: number;
  /** Most merges that a byte went through. */
  deepest: number;
  /** Files that a reader finds, on the mean over the uploads and at the end. */
  meanFiles: number;
  files: number;
}

/**
 * Plans after each upload, and whenever a plan's due time comes before the next one.
 * @param forced merges all that is small each time, as if asked for by hand
 */
export function simulateUploads(
  uploads: Iterable<Upload>,
  settings: PlanSettings,
  forced = false,
): Amplification {
  const result = {
    uploadedBytes: 0,
    writtenBytes: 0,
    merges: 0,
    deepest: 0,
    meanFiles: 0,
    files: 0,
  };
  let files: PlanFile[] = [];
  let clock = Date.parse("2026-11-01T00:00:00Z");
  let id = 0, count = 0, seen = 0;
  let due: number | null = null;

  const add = (bytes: number, some: Partial<PlanFile>) => {
    files.push({
      id: ++id,
      byte_length: bytes,
      level: 0,
      seq_min: id,
      seq_max: id,
      row_count: Math.ceil(bytes / 150),
      row_group_count: 1,
      uncompressed_bytes: bytes * 2,
      schema_fingerprint: "s1",
      state: "active",
      uploaded_at: new Date(clock).toISOString(),
      ...some,
    });
  };
  const compact = () => {
    const plan = planCompaction({ files, settings, forced, now: new Date(clock) });
    for (const { inputs, bytes } of plan.outputs) {
      const gone = new Set(inputs);
      files = files.filter((file) => !gone.has(file));
      const level = 1 + Math.max(...inputs.map((file) => file.level));
      add(bytes, {
        level,
        seq_min: inputs[0].seq_min,
        seq_max: Math.max(...inputs.map((file) => file.seq_max)),
      });
      result.writtenBytes += bytes;
      result.merges++;
      result.deepest = Math.max(result.deepest, level);
    }
    due = plan.nextDueAt?.getTime() ?? null;
  };

  for (const { bytes, gap } of uploads) {
    const next = clock + gap * 1000;
    while (due !== null && due <= next) {
      clock = due;
      compact();
    }
    clock = next;
    add(bytes, {});
    result.uploadedBytes += bytes;
    compact();
    count++;
    seen += files.length;
  }
  return { ...result, meanFiles: seen / count, files: files.length };
}
