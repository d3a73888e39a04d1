import { HostKernels } from "../../kernels/host_kernels.ts";
import type { Zstd } from "../../../compression/zstd.ts";
import type { MergeOrder } from "./row_order.ts";
import type { FileMetaData } from "../../format/metadata.ts";
import type { SchemaTree } from "../../format/schema.ts";
import { GroupBuilder } from "./group_builder.ts";
import { fillTable } from "./group_table.ts";
import { KnownFooters } from "./known_footers.ts";
import type { Layout } from "./known_layout.ts";
import type { MergeSettings } from "./merge_settings.ts";
import { rowOrder } from "./row_order.ts";
import { appendGroups } from "./small_file.ts";

/** What a trap makes unusable: kernels, the columns of the open row group, and the footers they remember. */
export interface Instance {
  kernels: HostKernels;
  builder: GroupBuilder;
  known: KnownFooters;
}

/** Makes kernels, and columns for the output's schema. */
export function openInstance(
  settings: MergeSettings,
  schema: SchemaTree,
  order: MergeOrder | undefined,
  zstd: Zstd | undefined,
  drop?: ReadonlySet<number>,
): Instance {
  const kernels = new HostKernels(settings.kernels);
  const { codec, pageRows, pageBytes } = settings;
  const pages = { codec, zstd, pageRows, pageBytes };
  const rows = order && rowOrder(order, schema);
  const builder = new GroupBuilder(kernels, schema, settings, pages, rows, drop);
  return { kernels, builder, known: new KnownFooters(kernels) };
}

/**
 * Appends a small file, all or nothing, to be committed then; gives whether its layout was remembered.
 * @param isWhole whether it may be: its footer has the layout's columns and no others
 */
export function appendWhole(
  { kernels, builder, known }: Instance,
  layout: Layout,
  metadata: FileMetaData,
  bytes: Uint8Array,
  isWhole: boolean,
): boolean {
  const groups = metadata.rowGroups.filter((group) => group.numRows > 0);
  const table = fillTable(kernels, groups);
  const file = kernels.input(bytes);
  appendGroups(kernels, builder, layout, groups.length, table, file);
  return isWhole && known.remember(file, bytes.length, layout);
}
