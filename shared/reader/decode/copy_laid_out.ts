import { physicalType } from "../../parquet/format/metadata.ts";
import type { SchemaNode } from "../../parquet/format/schema.ts";
import type { LaidOut } from "../arrow/leaf_data.ts";
import type { ReaderKernels } from "./reader_kernels.ts";

/** Copies what `takeRows` made. */
export function copyLaidOut(kernels: ReaderKernels, leaf: SchemaNode): LaidOut {
  const { arrow: wasm } = kernels;
  const length = wasm.arrowSlots(), nullCount = wasm.arrowNulls();
  const copy = (at: number, bytes: number) => kernels.bytes(at, bytes).slice();
  return {
    length,
    nullCount,
    nullBitmap: nullCount === 0 ? undefined : copy(wasm.arrowBitmap(), (length + 7) >> 3),
    values: copy(wasm.arrowValues(), wasm.arrowValueBytes()),
    offsets: leaf.element.type === physicalType.BYTE_ARRAY
      ? new Int32Array(copy(wasm.arrowOffsets(), 4 * (length + 1)).buffer)
      : undefined,
  };
}
