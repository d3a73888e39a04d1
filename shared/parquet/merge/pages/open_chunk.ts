import type { RowGroup } from "../../format/metadata.ts";
import { valueWidth } from "../../format/value_order.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import type { Layout } from "./known_layout.ts";

/**
 * Opens in the kernels the chunk of `group` that fills a column by the layout's plan, for its pages to be appended part
 * by part. A column that no chunk fills is left as it is.
 */
export function openChunk(
  kernels: Kernels,
  layout: Layout,
  column: number,
  group: RowGroup,
): void {
  const source = layout.plan.leaves[column];
  if (source.kind !== "pages") return;
  const leaf = layout.tree.leaves[source.leaf];
  const meta = group.columns[source.leaf].metaData!;
  kernels.wasm.openChunk(
    meta.type,
    valueWidth(leaf),
    leaf.definitionLevel,
    leaf.repetitionLevel,
    meta.codec,
    meta.numValues,
    group.numRows,
    layout.levelMaps[column],
    source.conversion ?? 0,
    source.parameter ?? 0,
    0,
    layout.levels.entry(source.leaf),
  );
}
