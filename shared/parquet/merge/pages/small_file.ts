import type { Kernels } from "../../kernels/kernels.ts";
import type { FileMetaData } from "../../format/metadata.ts";
import { atPlace } from "../../format/parquet_error.ts";
import type { GroupBuilder } from "./group_builder.ts";
import { groupEntryBytes } from "./group_table.ts";
import type { Layout } from "./known_layout.ts";
import { groupBytes } from "./large_group.ts";
import type { MergeSettings } from "./merge_settings.ts";

/** Most values of a file that is held back until it is known to be good. */
const smallValues = 4_000_000;

/** Whether a file can wait in the columns as a whole until it is known to be good. */
export function isSmall(
  { rowGroups }: FileMetaData,
  uncompressedBytes: number,
  settings: MergeSettings,
): boolean {
  let values = 0;
  for (const group of rowGroups) {
    if (groupBytes(group) >= settings.healthyBytes) return false;
    for (const chunk of group.columns) values += chunk.metaData!.numValues;
  }
  return uncompressedBytes <= 4 * settings.wholeFileBytes && values <= smallValues;
}

/** The same of a file whose footer was only scanned. @param fileValues most values that a file may have */
export function isSmallScan(
  { wasm }: Kernels,
  settings: MergeSettings,
  fileValues: number,
): boolean {
  return wasm.scanLargestGroup() < settings.healthyBytes &&
    wasm.scanUncompressed() <= 4 * settings.wholeFileBytes &&
    wasm.scanValues() <= Math.min(smallValues, fileValues);
}

/** Appends the groups of the kernels' table, of a file in their memory, all or none; to be committed then. */
export function appendGroups(
  kernels: Kernels,
  builder: GroupBuilder,
  layout: Layout,
  groups: number,
  table: number,
  file: number,
): void {
  const entry = groupEntryBytes(layout.tree.leaves.length);
  for (let i = 0; i < groups; i++) {
    const group = table + i * entry;
    const rows = new DataView(kernels.wasm.memory.buffer).getUint32(group, true);
    try {
      builder.appendGroup(layout, group, file, rows);
    } catch (error) {
      builder.rollback();
      throw atPlace(error, { rowGroup: i });
    }
  }
}
