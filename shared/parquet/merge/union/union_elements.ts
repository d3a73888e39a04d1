/** How a field of a union is spelled in its schema. */
import { convertedType, repetition, type SchemaElement } from "../../format/metadata.ts";
import type { SchemaNode } from "../../format/schema.ts";
import { blankElement } from "../../format/schema_element.ts";
import { sameSpelling } from "./field_view.ts";
import type { LeafElement } from "./leaf_kind.ts";
import type { UnionField } from "./union_fields.ts";

/** Adds a field's elements in depth-first order: as a file spells them where all files agree, else in the usual layout. */
export function appendElements(field: UnionField, elements: SchemaElement[]): void {
  const [first] = field.views;
  const { node } = first;
  const kind = field.nullable ? repetition.OPTIONAL : repetition.REQUIRED;
  const alike = field.views.every((view) => sameBelow(view.node, node));
  if (alike && (node.repetition !== repetition.REPEATED || !field.nullable)) {
    const copied = node.repetition === repetition.REPEATED ? repetition.REPEATED : kind;
    emitCopy(node, elements, copied, fieldId(field));
    return;
  }
  const element = { ...blankElement(field.name), repetition: kind, fieldId: fieldId(field) };
  switch (field.kind) {
    case "leaf":
      elements.push({ ...element, ...leafParts(field.leaf!.element) });
      return;
    case "struct":
      elements.push({ ...element, numChildren: field.children.length });
      for (const child of field.children) appendElements(child, elements);
      return;
    case "variant":
      emitCopy(node, elements, kind, fieldId(field));
      return;
    case "list":
      elements.push({
        ...element,
        numChildren: 1,
        convertedType: convertedType.LIST,
        logicalType: { kind: "LIST" },
      });
      elements.push({
        ...blankElement("list"),
        repetition: repetition.REPEATED,
        numChildren: 1,
      });
      appendElements(named(field.children[0], "element"), elements);
      return;
    case "map":
      elements.push({
        ...element,
        numChildren: 1,
        convertedType: convertedType.MAP,
        logicalType: { kind: "MAP" },
      });
      elements.push({
        ...blankElement("key_value"),
        repetition: repetition.REPEATED,
        numChildren: 2,
      });
      appendElements(named(field.children[0], "key"), elements);
      appendElements(named(field.children[1], "value"), elements);
  }
}

/** The field under another name: also where its elements would be copied from a file. */
function named(field: UnionField, name: string): UnionField {
  return {
    ...field,
    name,
    views: field.views.map((view) => ({ ...view, node: renamed(view.node, name) })),
  };
}

function renamed(node: SchemaNode, name: string): SchemaNode {
  // a repeated field that is its list's element is not repeated as the element of the new list
  const kind = node.repetition === repetition.REPEATED ? repetition.REQUIRED : node.repetition;
  return { ...node, name, repetition: kind, element: { ...node.element, name, repetition: kind } };
}

/** Whether two nodes are spelled alike but for their own nullability and field id. */
function sameBelow(one: SchemaNode, other: SchemaNode): boolean {
  const comparable = (node: SchemaNode): SchemaNode => ({
    ...node,
    element: {
      ...node.element,
      fieldId: undefined,
      repetition: node.repetition === repetition.REPEATED ? repetition.REPEATED : undefined,
    },
  });
  return one === other || sameSpelling(comparable(one), comparable(other));
}

function emitCopy(
  node: SchemaNode,
  elements: SchemaElement[],
  kind: number,
  id: number | undefined,
): void {
  elements.push({ ...node.element, repetition: kind, fieldId: id });
  for (const child of node.children) {
    emitCopy(child, elements, child.repetition, child.element.fieldId);
  }
}

/** A field's id where all files agree on it. */
function fieldId(field: UnionField): number | undefined {
  const [first, ...others] = field.views.map((view) => view.node.element.fieldId);
  return others.every((id) => id === first) ? first : undefined;
}

function leafParts(element: LeafElement): LeafElement {
  const { type, typeLength, convertedType, scale, precision, logicalType } = element;
  return { type, typeLength, convertedType, scale, precision, logicalType };
}
