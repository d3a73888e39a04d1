/** How a chunk's levels are encoded, by its footer. */
import { type ColumnMetaData, encoding } from "./metadata.ts";
import type { SchemaNode } from "./schema.ts";

/**
 * Whether a chunk's levels are in the deprecated BIT_PACKED encoding. Writers list it, beside RLE, also for levels
 * that a flat column does not have (parquet-mr), and that says nothing.
 */
export function hasBitPackedLevels({ encodings }: ColumnMetaData, leaf: SchemaNode): boolean {
  if (leaf.definitionLevel === 0 || !encodings.includes(encoding.BIT_PACKED)) return false;
  return leaf.repetitionLevel > 0 || !encodings.includes(encoding.RLE);
}
