import { type SchemaNode, type SchemaTree, schemaTree } from "../../format/schema.ts";
import type { SchemaElement } from "../../format/metadata.ts";

/**
 * The schema of one column alone: its path with nothing beside it, of physical types. The column's levels are the
 * same under it, so that its chunk is a whole row group.
 */
export function leafTree(leaf: SchemaNode): SchemaTree {
  const elements: SchemaElement[] = [];
  for (let node: SchemaNode | undefined = leaf; node !== undefined; node = node.parent) {
    elements.unshift({
      ...node.element,
      repetition: node.parent === undefined ? undefined : node.repetition,
      numChildren: node === leaf ? undefined : 1,
      convertedType: undefined,
      scale: undefined,
      precision: undefined,
      logicalType: undefined,
    });
  }
  return schemaTree(elements);
}
