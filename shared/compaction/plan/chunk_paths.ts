/** How the column chunks of a data file get into an output: copied, merged page by page, or decoded before. */
import type { HostLimits } from "../../compression/host_limits.ts";
import type { ChunkSums } from "../../parquet/inspect/merge_facts.ts";
import { healthyGroupBytes } from "../../parquet/format/healthy_group.ts";
import { type PlanFile, type PlanSettings, sorts } from "./data_file.ts";

/**
 * `copy`: byte for byte, by the CRCs that we wrote. `check`: the same with each page decoded once, as anybody can
 * give broken bytes a right CRC. `pages`: joined page by page. `decode`: what the kernels don't know, written anew by
 * parquet-wasm and then joined.
 */
export type MergePath = "copy" | "check" | "pages" | "decode";

/** What the paths of an output's files depend on beside themselves. */
export interface PathContext {
  settings: PlanSettings;
  /** What the host that merges can decompress. */
  host: HostLimits;
  /** Whether a file of a schema has all columns of the output as they will be, so that its row groups can be copied. */
  keepsSchema: (fingerprint: string) => boolean;
}

/**
 * The chunks of a file by kind. Where the catalog has no facts of a file (its row is older), all chunks count as one kind,
 * each as large as the mean of its row groups, with one value a row.
 *
 * @param leaves of its schema
 */
export function chunksOf(file: PlanFile, leaves: number): ChunkSums[] {
  if (file.merge_facts) return file.merge_facts.sums;
  const groups = Math.max(1, file.row_group_count);
  const known = file.value_count !== undefined && file.value_count !== null;
  return [{
    healthy: !known && file.byte_length / groups >= healthyGroupBytes,
    chunks: leaves * file.row_group_count,
    values: known ? file.value_count! : leaves * file.row_count,
    bytes: file.byte_length,
    plain_bytes: file.uncompressed_bytes,
    largest_chunk: file.uncompressed_bytes / groups / leaves,
  }];
}

/** The path of one kind of chunks of a file. */
export function pathOf(
  sums: ChunkSums,
  file: PlanFile,
  { settings, host, keepsSchema }: PathContext,
): MergePath {
  if (sums.codec === "brotli" && !host.brotli) return "decode";
  const copied = sums.healthy && !sorts(settings) && !file.rewrite?.anew &&
    keepsSchema(file.schema_fingerprint);
  if (!copied) return "pages";
  // other readers refuse such pages, or take such levels for RLE: they are merged in place of being copied
  if (sums.bit_packed || sums.codec === "brotli") return "pages";
  return file.level > 0 ? "copy" : "check";
}
