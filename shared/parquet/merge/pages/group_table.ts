import { chunkExtent } from "../../inspect/check_chunks.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import type { RowGroup } from "../../format/metadata.ts";

/** Bytes of a row group's entry in the kernels' table: its rows, then four words a leaf. */
export function groupEntryBytes(leaves: number): number {
  return 4 + 16 * leaves;
}

/** Puts row groups into the kernels' table as a scan would; gives its address. */
export function fillTable(kernels: Kernels, groups: readonly RowGroup[]): number {
  const entry = groupEntryBytes(groups[0]?.columns.length ?? 0);
  const address = kernels.wasm.reserveTable(Math.max(16, entry * groups.length));
  if (address === 0) throw kernels.error({});
  const view = new DataView(kernels.wasm.memory.buffer, address, entry * groups.length);
  groups.forEach((group, g) => {
    view.setUint32(g * entry, group.numRows, true);
    group.columns.forEach((chunk, i) => {
      const meta = chunk.metaData!;
      const { start, length } = chunkExtent(meta);
      const at = g * entry + 4 + 16 * i;
      view.setUint32(at, start, true);
      view.setUint32(at + 4, length, true);
      view.setUint32(at + 8, meta.codec, true);
      view.setUint32(at + 12, meta.numValues, true);
    });
  });
  return address;
}
