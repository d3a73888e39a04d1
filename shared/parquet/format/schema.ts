import { defaultLimits, type ParquetLimits } from "./limits.ts";
import { checkLeafType, type Logical, logicalOf, logicalText } from "./logical_text.ts";
import { repetition, type SchemaElement } from "./metadata.ts";
import { parquetError, printable } from "./parquet_error.ts";
import { checkAnnotations, checkRoot, normalised } from "./schema_annotations.ts";

/**
 * What a node is for a reader. LIST and MAP are roles of groups, whatever their inner groups are called
 * (LogicalTypes.md, backward compatibility rules); a malformed LIST or MAP is a struct.
 */
export type Role = "leaf" | "struct" | "list" | "map" | "variant";

/** An element of the schema in its tree. */
export interface SchemaNode {
  /**
   * As in the file, but for what would be unsound to write: its repetition is always set (0 at the root), and the root
   * has neither type nor annotation.
   */
  element: SchemaElement;
  name: string;
  /** Names from below the root down to here; a name may hold dots. */
  path: readonly string[];
  parent: SchemaNode | undefined;
  children: SchemaNode[];
  /** 0 required, 1 optional, 2 repeated; the root counts as required. */
  repetition: number;
  /** Highest definition level of values at this node. */
  definitionLevel: number;
  /** Highest repetition level of values at this node. */
  repetitionLevel: number;
  /** LogicalType, else what ConvertedType stands for. */
  logical: Logical | undefined;
  role: Role;
  /** list: the repeated child (of which {@link listElement} may be the same node). map: its entries. */
  repeated: SchemaNode | undefined;
  /** list: the node that holds an element. */
  listElement: SchemaNode | undefined;
  /** Index of the first leaf below, and how many there are; a leaf counts itself. */
  firstLeaf: number;
  leafCount: number;
}

/** The schema as a tree. Column chunks of a row group are in the order of `leaves`. */
export interface SchemaTree {
  root: SchemaNode;
  leaves: SchemaNode[];
}

/**
 * Builds the tree from the flat list, and checks that it is one. Throws `invalid_parquet` for what breaks the
 * format and `unsupported_parquet` for names that differ in case only (engines that ignore case cannot tell
 * them apart, so a union by name could mix them).
 */
export function schemaTree(
  elements: readonly SchemaElement[],
  limits: Readonly<ParquetLimits> = defaultLimits,
): SchemaTree {
  const leaves: SchemaNode[] = [];
  let next = 0;

  function build(parent: SchemaNode | undefined, depth: number): SchemaNode {
    if (next >= elements.length) {
      throw parquetError("invalid_parquet", "the schema's elements end before its tree does");
    }
    if (depth > limits.schemaDepth) {
      throw parquetError("invalid_parquet", `the schema nests deeper than ${limits.schemaDepth}`);
    }
    const element = elements[next++];
    const node = newNode(element, parent, leaves.length);
    const childCount = element.numChildren ?? 0;
    // some writers give the root a type
    if (element.type === undefined || (parent === undefined && childCount > 0)) {
      if (childCount <= 0 || childCount > elements.length - next) {
        throw parquetError(
          "invalid_parquet",
          `group ${printable(element.name)} of the schema declares ${childCount} children, and ` +
            `${elements.length - next} elements are left`,
        );
      }
      for (let i = 0; i < childCount; i++) node.children.push(build(node, depth + 1));
      checkGroupType(node);
      checkNames(node);
      takeRole(node);
    } else {
      if (childCount !== 0 || element.type < 0 || element.type > 7 || parent === undefined) {
        throw parquetError(
          "invalid_parquet",
          `element ${
            printable(element.name)
          } of the schema has type ${element.type} and ${childCount} children`,
        );
      }
      checkLeafType(element, node.logical);
      leaves.push(node);
    }
    node.leafCount = leaves.length - node.firstLeaf;
    return node;
  }

  const root = build(undefined, 0);
  if (next !== elements.length) {
    throw parquetError(
      "invalid_parquet",
      `the schema's tree ends after ${next} of ${elements.length} elements`,
    );
  }
  return { root, leaves };
}

function newNode(
  element: SchemaElement,
  parent: SchemaNode | undefined,
  firstLeaf: number,
): SchemaNode {
  // a missing repetition is read as required, as DuckDB and hyparquet do (hyparquet-writer left it out once)
  const kind = parent === undefined ? repetition.REQUIRED : element.repetition ?? 0;
  if (kind !== 0 && kind !== 1 && kind !== 2) {
    throw parquetError(
      "invalid_parquet",
      `element ${printable(element.name)} of the schema has the repetition ${kind}`,
    );
  }
  if (parent === undefined) checkRoot(element);
  const logical = parent === undefined ? undefined : logicalOf(element);
  checkAnnotations(element, logical);
  return {
    element: normalised(element, kind, parent === undefined),
    name: element.name,
    path: parent === undefined ? [] : [...parent.path, element.name],
    parent,
    children: [],
    repetition: kind,
    definitionLevel: (parent?.definitionLevel ?? 0) + (kind === repetition.REQUIRED ? 0 : 1),
    repetitionLevel: (parent?.repetitionLevel ?? 0) + (kind === repetition.REPEATED ? 1 : 0),
    logical,
    role: element.type === undefined || parent === undefined ? "struct" : "leaf",
    repeated: undefined,
    listElement: undefined,
    firstLeaf,
    leafCount: 0,
  };
}

function checkNames(group: SchemaNode): void {
  if (group.children.length === 1) return;
  const names = new Set<string>();
  for (const child of group.children) names.add(child.name.toLowerCase());
  if (names.size === group.children.length) return;
  names.clear();
  for (const child of group.children) {
    const lower = child.name.toLowerCase();
    if (names.has(lower)) {
      throw parquetError(
        "unsupported_parquet",
        `two columns are named ${printable(child.name)}, or differ in case only`,
        { column: child.path },
        { expected: "names that are unique in their group, case ignored" },
      );
    }
    names.add(lower);
  }
}

/** A group is a struct, or one of the annotated kinds. */
function checkGroupType(node: SchemaNode): void {
  const kind = node.logical?.kind;
  if (kind === undefined || ["LIST", "MAP", "VARIANT", "OTHER"].includes(kind)) return;
  throw parquetError(
    "invalid_parquet",
    `group ${printable(node.name)} of the schema is annotated ${logicalText(node.logical!)}`,
  );
}

/** LIST and MAP by the backward compatibility rules of LogicalTypes.md. */
function takeRole(node: SchemaNode): void {
  if (node.logical?.kind === "VARIANT") node.role = "variant";
  if (node.repetition === repetition.REPEATED || node.children.length !== 1) return;
  const only = node.children[0];
  if (only.repetition !== repetition.REPEATED) return;
  if (node.logical?.kind === "LIST") {
    node.role = "list";
    node.repeated = only;
    node.listElement = isElement(only, node) ? only : only.children[0];
  } else if (node.logical?.kind === "MAP" && only.children.length === 2) {
    if (only.children.some((child) => child.repetition === repetition.REPEATED)) return;
    node.role = "map";
    node.repeated = only;
  }
}

/** Whether the repeated child of a LIST is the element itself (two levels) rather than a wrapper of it. */
function isElement(repeated: SchemaNode, list: SchemaNode): boolean {
  return repeated.children.length !== 1 ||
    repeated.name === "array" || repeated.name === `${list.name}_tuple` ||
    repeated.children[0].repetition === repetition.REPEATED ||
    repeated.logical?.kind === "LIST";
}
