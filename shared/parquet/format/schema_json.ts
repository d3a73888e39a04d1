import { logicalText } from "./logical_text.ts";
import type { SchemaNode, SchemaTree } from "./schema.ts";
import { spellingOf } from "./spelling.ts";
import { physicalText } from "./schema_text.ts";

/** The schema for the catalog: small, and enough to plan by. */
export interface SchemaJson {
  name: string;
  /** Physical type of a leaf by its name in the format; `FIXED_LEN_BYTE_ARRAY(16)` with its length. */
  type?: string;
  /** As {@link logicalText} has it. */
  logical?: string;
  /** As `spellingOf` has it; left out where it is the usual one. */
  spelling?: string;
  /** Left out at the root. */
  repetition?: "required" | "optional" | "repeated";
  /** The field's id, where the writer gave one (Iceberg). */
  field_id?: number;
  children?: SchemaJson[];
  /** At the root: what of the file's keys changes how its values are read (`readingText`); left out where nothing does. */
  reading?: string;
}

const repetitionNames = ["required", "optional", "repeated"] as const;

/** The tree for the catalog. @param reading as `readingText` has it */
export function schemaJson(tree: SchemaTree, reading = ""): SchemaJson {
  return { ...nodeJson(tree.root), ...(reading !== "" && { reading }) };
}

function nodeJson(node: SchemaNode): SchemaJson {
  const json: SchemaJson = { name: node.name };
  if (node.role === "leaf") json.type = physicalText(node.element);
  if (node.logical !== undefined) json.logical = logicalText(node.logical);
  const spelling = spellingOf(node.element, node.logical);
  if (spelling !== "") json.spelling = spelling;
  if (node.parent !== undefined) json.repetition = repetitionNames[node.repetition];
  if (node.element.fieldId !== undefined) json.field_id = node.element.fieldId;
  if (node.children.length > 0) json.children = node.children.map(nodeJson);
  return json;
}
