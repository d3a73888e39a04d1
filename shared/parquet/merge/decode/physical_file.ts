/**
 * Parquet files for the decoder, of physical types only. Arrow loses annotations (UUID, JSON, unsigned, time
 * zones of old writers) and refuses some schemas, so it is shown none: integers are integers, texts and
 * decimals are bytes, lists and maps are plain repeated groups. Levels and values come out as they went in, and
 * the schema is put back on what it writes.
 */
import { physicalType, type SchemaElement } from "../../format/metadata.ts";
import type { SchemaNode, SchemaTree } from "../../format/schema.ts";
import { joinGroups, type LoadedGroup } from "./joined_file.ts";

/** Whole file of several row groups, from anywhere, under one physical schema; offsets are rebased. */
export function physicalFile(tree: SchemaTree, groups: readonly LoadedGroup[]): Uint8Array {
  const schema: SchemaElement[] = [];
  physicalElements(tree.root, schema);
  const paths = tree.leaves.map((leaf) => physicalPath(leaf));
  const physical = groups.map(({ numRows, chunks }) => ({
    numRows,
    chunks: chunks.map(({ meta, bytes }, column) => ({
      meta: { ...meta, path: paths[column], type: physicalElement(tree.leaves[column]).type! },
      bytes,
    })),
  }));
  return joinGroups(physical, { schema, keyValues: undefined, columnOrders: undefined });
}

/** Names by position: real ones may repeat what Arrow gives a meaning to. */
function physicalName(node: SchemaNode): string {
  return `n${node.parent === undefined ? 0 : node.parent.children.indexOf(node)}`;
}

function physicalPath(leaf: SchemaNode): string[] {
  const path = [];
  for (let node = leaf; node.parent !== undefined; node = node.parent) {
    path.push(physicalName(node));
  }
  return path.reverse();
}

/** INT96 is 12 bytes in PLAIN and in dictionaries, its only encodings; Arrow would make a timestamp of it. */
function physicalElement(node: SchemaNode): SchemaElement {
  const { type, typeLength, numChildren, repetition } = node.element;
  const isInt96 = type === physicalType.INT96;
  return {
    type: isInt96 ? physicalType.FIXED_LEN_BYTE_ARRAY : type,
    typeLength: isInt96 ? 12 : type === physicalType.FIXED_LEN_BYTE_ARRAY ? typeLength : undefined,
    repetition: node.parent === undefined ? undefined : repetition,
    name: physicalName(node),
    numChildren: type === undefined ? numChildren : undefined,
    convertedType: undefined,
    scale: undefined,
    precision: undefined,
    fieldId: undefined,
    logicalType: undefined,
  };
}

function physicalElements(node: SchemaNode, elements: SchemaElement[]): void {
  elements.push(physicalElement(node));
  for (const child of node.children) physicalElements(child, elements);
}
