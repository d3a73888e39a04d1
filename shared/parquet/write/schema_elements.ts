import type { SchemaElement } from "../format/metadata.ts";
import type { SchemaTree } from "../format/schema.ts";

/** The flat schema of a footer, depth first. */
export function elementsOf(tree: SchemaTree): SchemaElement[] {
  const elements: SchemaElement[] = [];
  const collect = (node: SchemaTree["root"]) => {
    elements.push(
      node.parent === undefined ? { ...node.element, repetition: undefined } : node.element,
    );
    node.children.forEach(collect);
  };
  collect(tree.root);
  return elements;
}
