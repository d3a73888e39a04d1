import { repetition } from "../../format/metadata.ts";
import type { SchemaNode } from "../../format/schema.ts";
import { leafType, ownLayout } from "../../format/schema_text.ts";
import { spellingOf } from "../../format/spelling.ts";

/**
 * A node of the schema as a reader sees it: a field that may be null, of a struct, list, map or leaf. The inner
 * groups of lists and maps, and the ways to spell them, are gone; a repeated field without annotation is a list
 * that is never null, of elements that are never null.
 */
export interface FieldView {
  name: string;
  nullable: boolean;
  kind: "leaf" | "struct" | "list" | "map" | "variant";
  /** The node of this kind: for lists and maps the outer group, or the repeated field itself. */
  node: SchemaNode;
  /** struct, variant: its fields. list: the element alone. map: key and value. */
  children: FieldView[];
}

/** A field below the root, or below a struct. */
export function fieldView(node: SchemaNode): FieldView {
  if (node.repetition === repetition.REPEATED) {
    return {
      name: node.name,
      nullable: false,
      kind: "list",
      node,
      children: [{ ...valueView(node), nullable: false }],
    };
  }
  return { ...valueView(node), nullable: node.repetition === repetition.OPTIONAL };
}

/** The value at a node, its own repetition left aside. */
function valueView(node: SchemaNode): Omit<FieldView, "nullable"> {
  const view = { name: node.name, node };
  switch (node.role) {
    case "leaf":
      return { ...view, kind: "leaf", children: [] };
    case "list": {
      const element = node.listElement!;
      const child = element === node.repeated
        ? { ...valueView(element), nullable: false }
        : fieldView(element);
      return { ...view, kind: "list", children: [child] };
    }
    case "map":
      return { ...view, kind: "map", children: node.repeated!.children.map(fieldView) };
    case "variant":
      return { ...view, kind: "variant", children: node.children.map(fieldView) };
    case "struct":
      return { ...view, kind: "struct", children: node.children.map(fieldView) };
  }
}

/** Whether the field is a column of the null type (Arrow null, logical UNKNOWN). */
export function isNull(view: FieldView): boolean {
  return view.kind === "leaf" && view.node.logical?.kind === "UNKNOWN";
}

/** Whether the field repeats a level of its own below its null: lists and maps do. */
export function repeats(view: FieldView): boolean {
  return view.kind === "list" || view.kind === "map";
}

/** The type in words, for messages and for comparing variants. */
export function viewText(view: FieldView): string {
  const inner = view.children.map((child) =>
    view.kind === "list" || view.kind === "map"
      ? viewText(child)
      : `${JSON.stringify(child.name)}:${viewText(child)}`
  ).join(",");
  const suffix = view.nullable ? "?" : "!";
  if (view.kind === "leaf") return leafType(view.node) + suffix;
  return `${view.kind}<${inner}>${ownLayout(view.node)}${suffix}`;
}

/** Whether two nodes are spelled alike all the way down, annotations, names and storage. */
export function sameSpelling(one: SchemaNode, other: SchemaNode): boolean {
  const a = one.element, b = other.element;
  return a.name === b.name && a.type === b.type && a.typeLength === b.typeLength &&
    a.repetition === b.repetition && a.fieldId === b.fieldId &&
    JSON.stringify(one.logical) === JSON.stringify(other.logical) &&
    spellingOf(a, one.logical) === spellingOf(b, other.logical) &&
    one.children.length === other.children.length &&
    one.children.every((child, i) => sameSpelling(child, other.children[i]));
}
