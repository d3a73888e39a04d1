/** The data files of a partition as the planner sees them. */
import type { ApartKind } from "../../parquet/merge/union/set_apart.ts";
import type { MergeFacts } from "../../parquet/inspect/merge_facts.ts";
import { tierOf, tierRatio } from "./tiers.ts";

/** What the catalog remembers of a file that a merge has set apart. */
export interface ApartMark {
  kind: ApartKind;
  /** In words, as the merge said it. */
  reason: string;
  /** The planner whose merge it was: another one may do better. */
  planner: number;
}

/** What the planner needs to know of a data file; the shape of `claim_compaction`'s files. */
export interface PlanFile {
  id: number;
  byte_length: number;
  level: number;
  /** First and last upload that is in the file. */
  seq_min: number;
  seq_max: number;
  row_count: number;
  row_group_count: number;
  uncompressed_bytes: number;
  /** Values of all column chunks, nulls and the entries of lists counted; null when it was not kept. */
  value_count?: number | null;
  /** What decides how its chunks are merged; null where there is nothing to tell, or nothing was kept. */
  merge_facts?: MergeFacts | null;
  schema_fingerprint: string;
  /** `active`, or `quarantined`: listed to readers, never merged. */
  state: string;
  uploaded_at: string;
  /**
   * Why it is to be written anew whatever its size, in what schema, and whether nothing of it is copied as it is, since
   * codec and sizes may be others by now; for most it is not.
   */
  rewrite?: { reason: string; schema: unknown; anew?: boolean } | null;
  /** What a merge found that set it apart, and what it is not merged with for that; for most nothing. */
  apart?: ApartMark | null;
  /** Uploads, by their seq, whose rows are to be left out: it is written anew whatever its size. For most there are none. */
  drop?: readonly number[] | null;
  /** In a table of the lake: 1 where it has the lake's columns, 0 where it can't have them; null: it was not written for it. */
  lake_version?: number | null;
}

/** What ages of files are told by. */
export type AgedFile = Pick<PlanFile, "byte_length" | "level" | "uploaded_at" | "lake_version">;

/** The table's settings that matter here. */
export interface PlanSettings {
  target_file_bytes: number;
  healthy_row_group_bytes: number;
  /** @default 8 MiB */
  target_row_group_bytes?: number;
  min_inputs: number;
  max_age_seconds: number;
  /** Codec of outputs. @default snappy */
  codec?: string;
  sort_keys?: string[];
  /** Columns of which the last writer wins; where there are any, only neighbours in upload order are merged. */
  dedupe_keys?: string[];
  /** Whether a column that is a UUID in some files and a text in others is one text. @default false */
  unite_uuid_as_text?: boolean;
  /** Of a table of the lake: what its two columns are called. */
  lake?: { dataset_column: string; period_column: string };
}

/** Why a file is written anew by itself, whatever its size, in words; undefined for most. */
export function rewriteReason(file: PlanFile): string | undefined {
  if (leavesOut(file)) return "uploads of which it may hold rows are deleted";
  return file.rewrite ? `marked to be written anew (${file.rewrite.reason})` : undefined;
}

/** Whether rows of the file are to be left out, since their uploads are deleted. */
export function leavesOut({ drop }: Pick<PlanFile, "drop">): boolean {
  return (drop?.length ?? 0) > 0;
}

/**
 * When an upload is written anew for the lake, alone if it has no company by then; null where it isn't to be. Outputs of
 * before are marked for it, a few at a time (`sediment.advance_lake`).
 */
export function settlesAt(file: AgedFile, settings: PlanSettings): Date | null {
  if (settings.lake === undefined || file.level > 0 || (file.lake_version ?? null) !== null) {
    return null;
  }
  return new Date(Date.parse(file.uploaded_at) + settings.max_age_seconds * 1000);
}

/** Whether the last writer of a key wins. */
export function dedupes(settings: PlanSettings): boolean {
  return (settings.dedupe_keys?.length ?? 0) > 0;
}

/** Whether outputs are not in upload order as they come. */
export function sorts(settings: PlanSettings): boolean {
  return dedupes(settings) || (settings.sort_keys?.length ?? 0) > 0;
}

/** Whether a file has reached the size at which it stays as it is. */
export function isFullGrown(file: PlanFile, settings: PlanSettings): boolean {
  return tierOf(file.byte_length, settings.target_file_bytes, tierRatio(settings.min_inputs)) ===
    null;
}

/**
 * Whether a file as uploaded has row groups too small to scan well. Ours (level above 0) never count: rewriting them
 * again would give the same.
 */
export function isFragmented(file: PlanFile, settings: PlanSettings): boolean {
  return file.level === 0 && file.row_group_count > 1 &&
    file.uncompressed_bytes / file.row_group_count < settings.healthy_row_group_bytes;
}

/** The order of an output's rows. */
export function byUploadOrder(a: PlanFile, b: PlanFile): number {
  return a.seq_min - b.seq_min || a.id - b.id;
}
