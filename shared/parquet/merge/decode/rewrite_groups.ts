import { SedimentError } from "../../../errors.ts";
import { chunkExtent } from "../../inspect/check_chunks.ts";
import { footerOfBytes } from "../../format/footer.ts";
import { physicalType } from "../../format/metadata.ts";
import { type SchemaNode, type SchemaTree, schemaTree } from "../../format/schema.ts";
import type { LoadedGroup } from "./joined_file.ts";
import { physicalFile } from "./physical_file.ts";
import type { RewriteOptions } from "./wasm_instance.ts";
import type { WasmPool } from "./wasm_pool.ts";

/**
 * Decodes row groups of equal shape and writes them as one row group. Values and levels are unchanged, and that
 * is checked: per column the output has the inputs' count of values, physical type and levels.
 * @param tree the schema that all groups have, by shape
 * @returns the row group's chunks
 * Throws `invalid_parquet` when the pages can't be decoded or hold something else than they declare.
 */
export function rewriteGroups(
  pool: WasmPool,
  tree: SchemaTree,
  groups: readonly LoadedGroup[],
  options: RewriteOptions,
): LoadedGroup {
  const bytes = pool.rewrite(physicalFile(tree, groups), options);
  const { metadata } = footerOfBytes(bytes);
  const written = schemaTree(metadata.schema);
  const rows = groups.reduce((sum, group) => sum + group.numRows, 0);
  if (metadata.rowGroups.length !== 1 || metadata.rowGroups[0].numRows !== rows) {
    throw new SedimentError(
      "invalid_parquet",
      `the pages decode to ${metadata.numRows} rows, and the row groups declare ${rows}`,
    );
  }
  if (written.leaves.length !== tree.leaves.length) {
    throw new SedimentError(
      "unsupported_parquet",
      "the decoder writes another count of columns than it reads",
    );
  }
  const chunks = metadata.rowGroups[0].columns.map((chunk, column) => {
    const leaf = tree.leaves[column];
    const meta = chunk.metaData!;
    checkSame(leaf, written.leaves[column]);
    const values = groups.reduce((sum, group) => sum + group.chunks[column].meta.numValues, 0);
    if (meta.numValues !== values) {
      throw new SedimentError(
        "invalid_parquet",
        `column ${
          leaf.path.join(".").slice(0, 120)
        }: the pages decode to ${meta.numValues} values, ` +
          `and the chunks declare ${values}`,
      );
    }
    const { start, length } = chunkExtent(meta);
    return {
      meta: {
        ...meta,
        type: leaf.element.type!,
        path: [...leaf.path],
      },
      bytes: bytes.subarray(start, start + length),
    };
  });
  return { numRows: rows, chunks };
}

function checkSame(wanted: SchemaNode, found: SchemaNode): void {
  const isInt96 = wanted.element.type === physicalType.INT96;
  const type = isInt96 ? physicalType.FIXED_LEN_BYTE_ARRAY : wanted.element.type;
  const length = isInt96 ? 12 : wanted.element.typeLength;
  const sameType = found.element.type === type &&
    (type !== physicalType.FIXED_LEN_BYTE_ARRAY || found.element.typeLength === length);
  if (
    !sameType || found.definitionLevel !== wanted.definitionLevel ||
    found.repetitionLevel !== wanted.repetitionLevel
  ) {
    throw new SedimentError(
      "unsupported_parquet",
      `the decoder changes the type or levels of column ${wanted.path.join(".").slice(0, 120)}`,
    );
  }
}
