import { convertedType, repetition } from "./metadata.ts";
import type { SchemaNode } from "./schema.ts";
import { spellingOf } from "./spelling.ts";

/**
 * Whether DuckDB nests a node otherwise than LogicalTypes.md does: it makes a list of the only child of any repeated
 * group, knows lists and maps by their ConvertedType alone, and refuses a MAP_KEY_VALUE on the outside. Such a node may
 * stand under its own spelling only, or its answers would change.
 */
export function isReadOtherwise(node: SchemaNode): boolean {
  switch (node.role) {
    case "leaf":
    case "variant":
      return false;
    case "list": {
      if (spellingOf(node.element, node.logical) !== "") return true;
      const repeated = node.repeated!;
      return node.listElement === repeated
        ? repeated.children.length === 1
        : repeated.logical !== undefined;
    }
    case "map":
      return node.element.convertedType !== convertedType.MAP;
    case "struct":
      return node.logical !== undefined ||
        (node.repetition === repetition.REPEATED && node.children.length === 1);
  }
}
