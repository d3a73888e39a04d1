import type { FileMetaData, RowGroup, SchemaElement } from "../../parquet/format/metadata.ts";
import { type SchemaNode, type SchemaTree, schemaTree } from "../../parquet/format/schema.ts";
import { chunkExtent } from "../../parquet/inspect/check_chunks.ts";

/** The columns of a schema that are read, and their row groups. */
export interface ProjectedFile {
  tree: SchemaTree;
  /** Those with rows; of each the chunks of `tree`'s leaves. */
  groups: RowGroup[];
}

/** A schema with some of its columns, in its own order. @param names undefined: all */
export function projectedTree(
  tree: SchemaTree,
  names: ReadonlySet<string> | undefined,
): SchemaTree {
  const kept = keptColumns(tree, names);
  if (kept.length === tree.root.children.length) return tree;
  const elements: SchemaElement[] = [{ ...tree.root.element, numChildren: kept.length }];
  const add = (node: SchemaNode) => {
    elements.push(node.element);
    for (const child of node.children) add(child);
  };
  for (const node of kept) add(node);
  return schemaTree(elements);
}

function keptColumns({ root }: SchemaTree, names: ReadonlySet<string> | undefined) {
  return names === undefined ? root.children : root.children.filter(({ name }) => names.has(name));
}

/** A file with some of its columns; undefined where it has none of them. */
export function projectFile(
  metadata: FileMetaData,
  tree: SchemaTree,
  names: ReadonlySet<string> | undefined,
): ProjectedFile | undefined {
  const kept = keptColumns(tree, names);
  if (kept.length === 0) return undefined;
  const groups = metadata.rowGroups.filter(({ numRows }) => numRows > 0);
  if (kept.length === tree.root.children.length) return { tree, groups };
  const chunks = kept.flatMap(({ firstLeaf, leafCount }) =>
    Array.from({ length: leafCount }, (_, i) => firstLeaf + i)
  );
  return {
    tree: projectedTree(tree, names),
    groups: groups.map((group) => ({ ...group, columns: chunks.map((i) => group.columns[i]) })),
  };
}

/** Where a row group's chunks lie, in the order of the file. */
export function groupExtents(group: RowGroup): { start: number; length: number }[] {
  return group.columns.map(({ metaData }) => chunkExtent(metaData!))
    .filter(({ length }) => length > 0)
    .sort((a, b) => a.start - b.start);
}

/** Bytes of a row group's values before compression, and how many there are. */
export function groupWeight(group: RowGroup): { bytes: number; values: number } {
  let bytes = 0, values = 0;
  for (const { metaData } of group.columns) {
    bytes += Math.max(metaData!.totalUncompressedSize, metaData!.totalCompressedSize);
    values += metaData!.numValues;
  }
  return { bytes, values };
}
