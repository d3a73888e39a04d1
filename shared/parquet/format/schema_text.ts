import { logicalText } from "./logical_text.ts";
import { isReadOtherwise } from "./reader_shape.ts";
import { spellingOf } from "./spelling.ts";
import { enumName, physicalType, repetition, type SchemaElement } from "./metadata.ts";
import type { SchemaNode, SchemaTree } from "./schema.ts";

/** What makes the type of a leaf. */
interface LeafParts {
  element: Pick<SchemaElement, "type" | "typeLength" | "convertedType" | "logicalType">;
  logical: SchemaNode["logical"];
}

/**
 * The normalised type of a leaf: the logical type where it says all, else the physical type with it; and how it is
 * spelled, where a reader's answer depends on that (spelling.ts).
 */
export function leafType(node: LeafParts): string {
  const spelling = spellingOf(node.element, node.logical);
  return spelling === "" ? plainType(node) : `${plainType(node)}~${spelling}`;
}

function plainType(node: LeafParts): string {
  const { element, logical } = node;
  const physical = physicalText(element);
  if (logical === undefined) return physical;
  switch (logical.kind) {
    case "INTEGER":
      // annotations that change nothing
      if (logical.signed && logical.bitWidth === 32) return "INT32";
      if (logical.signed && logical.bitWidth === 64) return "INT64";
      return logicalText(logical);
    case "UNKNOWN":
    case "OTHER":
    case "DECIMAL":
      // stored in several ways, which do not mix without a conversion
      return `${logicalText(logical)}:${physical}`;
    default:
      return logicalText(logical);
  }
}

/** A physical type by its name in the format, with its length where it has one. */
export function physicalText(element: Pick<SchemaElement, "type" | "typeLength">): string {
  const name = enumName(physicalType, element.type!);
  return element.type === physicalType.FIXED_LEN_BYTE_ARRAY
    ? `${name}(${element.typeLength})`
    : name;
}

/**
 * The whole schema as one canonical text: names (but for the inner groups of lists and maps), normalised
 * types, nullability and nesting, in column order. Files of the same text fill each other's schema without a
 * conversion, whichever comes first.
 */
export function schemaText(tree: SchemaTree): string {
  return tree.root.children.map(fieldText).join(",");
}

function fieldText(node: SchemaNode): string {
  return `${JSON.stringify(node.name)}:${valueText(node)}`;
}

/** A node's type with its repetition: `!` never null, `?` nullable, `*` repeated without annotation. */
function valueText(node: SchemaNode): string {
  return typeText(node) + "!?*"[node.repetition];
}

function typeText(node: SchemaNode): string {
  return shapeOf(node) + ownLayout(node);
}

/** The layout of a node that may stand under its own spelling only (reader_shape.ts), else "". */
export function ownLayout(node: SchemaNode): string {
  return isReadOtherwise(node) ? `~${childrenLayout(node)}` : "";
}

function shapeOf(node: SchemaNode): string {
  switch (node.role) {
    case "leaf":
      return leafType(node);
    case "list": {
      const element = node.listElement!;
      // the element of a two-level list is repeated in the schema and never null
      return `list<${element === node.repeated ? `${typeText(element)}!` : valueText(element)}>`;
    }
    case "map": {
      const [key, value] = node.repeated!.children;
      return `map<${valueText(key)},${valueText(value)}>`;
    }
  }
  const annotation = node.logical === undefined ? "" : logicalText(node.logical);
  return `${annotation}{${node.children.map(fieldText).join(",")}}`;
}

/**
 * The exact layout of the columns: paths, physical types, annotations and repetitions of every node. Files of
 * the same layout have the same levels and encodings of values, so that pages of one can stand in the other.
 */
export function layoutText(tree: SchemaTree): string {
  return tree.root.children.map(nodeLayout).join(",");
}

function nodeLayout(node: SchemaNode): string {
  return JSON.stringify(node.name) + "!?*"[node.repetition] + childrenLayout(node);
}

/** The layout of a node's type: its annotations, and all that is below. */
function childrenLayout(node: SchemaNode): string {
  const spelling = spellingOf(node.element, node.logical);
  return (node.logical === undefined ? "" : logicalText(node.logical)) +
    (spelling === "" ? "" : `~${spelling}`) +
    (node.role === "leaf"
      ? `:${physicalText(node.element)}`
      : `{${node.children.map(nodeLayout).join(",")}}`);
}

/**
 * What the pages of each column depend on: its physical type and the levels of its path, names and annotations
 * left out. Chunks of files with equal shapes can stand under one schema.
 */
export function shapeText(tree: SchemaTree): string {
  return tree.leaves.map((leaf) => {
    let levels = "";
    for (let node: SchemaNode | undefined = leaf; node !== undefined; node = node.parent) {
      if (node.repetition !== repetition.REQUIRED) levels += "!?*"[node.repetition];
    }
    return `${levels}${physicalText(leaf.element)}`;
  }).join(",");
}
