import { spelled, spellingOf } from "../parquet/format/spelling.ts";
import { type SchemaElement } from "../parquet/format/metadata.ts";
import { type SchemaNode, type SchemaTree, schemaTree } from "../parquet/format/schema.ts";

/**
 * A schema whose types are spelled as usual. Merges keep types apart that are spelled in two ways, for those who know
 * one of the format's annotations only; a reader of ours knows both, and what they stand for is the same.
 */
export function usualSpelling(tree: SchemaTree): SchemaTree {
  let changed = false;
  const elements: SchemaElement[] = [];
  const visit = (node: SchemaNode) => {
    const { element, logical } = node;
    const usual = logical !== undefined && spellingOf(element, logical) !== "";
    changed ||= usual;
    elements.push(usual ? { ...element, ...spelled(logical, "") } : element);
    for (const child of node.children) visit(child);
  };
  visit(tree.root);
  return changed ? schemaTree(elements) : tree;
}
