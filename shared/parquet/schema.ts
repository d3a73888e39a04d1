import { createHash } from "node:crypto";
import { defaultLimits, type ParquetLimits } from "./limits.ts";
import {
  checkLeafType,
  convertedTypeOf,
  type Logical,
  logicalOf,
  logicalText,
} from "./logical_text.ts";
import {
  convertedType,
  enumName,
  physicalType,
  repetition,
  type SchemaElement,
} from "./metadata.ts";
import { parquetError, printable } from "./parquet_error.ts";

/**
 * What a node is for a reader. LIST and MAP are roles of groups, whatever their inner groups are called
 * (LogicalTypes.md, backward compatibility rules); a malformed LIST or MAP is a struct.
 */
export type Role = "leaf" | "struct" | "list" | "map" | "variant";

/** An element of the schema in its tree. */
export interface SchemaNode {
  /**
   * As in the file, but for what would be unsound to write: its repetition is always set (0 at the root), the root
   * has no annotation, and the converted type says what the logical one says.
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

/** The schema for the catalog: small, and enough to plan by. */
export interface SchemaJson {
  name: string;
  /** Physical type of a leaf by its name in the format; `FIXED_LEN_BYTE_ARRAY(16)` with its length. */
  type?: string;
  /** As {@link logicalText} has it. */
  logical?: string;
  /** Left out at the root. */
  repetition?: "required" | "optional" | "repeated";
  /** The field's id, where the writer gave one (Iceberg). */
  field_id?: number;
  children?: SchemaJson[];
}

const repetitionNames = ["required", "optional", "repeated"] as const;

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
    if (element.type === undefined) {
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
    element: normalised(element, kind, logical, parent === undefined),
    name: element.name,
    path: parent === undefined ? [] : [...parent.path, element.name],
    parent,
    children: [],
    repetition: kind,
    definitionLevel: (parent?.definitionLevel ?? 0) + (kind === repetition.REQUIRED ? 0 : 1),
    repetitionLevel: (parent?.repetitionLevel ?? 0) + (kind === repetition.REPEATED ? 1 : 0),
    logical,
    role: element.type === undefined ? "struct" : "leaf",
    repeated: undefined,
    listElement: undefined,
    firstLeaf,
    leafCount: 0,
  };
}

/** A root that says that it is a list or a map is taken for one by DuckDB, for a struct by others. */
function checkRoot(root: SchemaElement): void {
  const kind = root.logicalType?.kind;
  const { LIST, MAP, MAP_KEY_VALUE } = convertedType;
  const nested = kind === "LIST" || kind === "MAP" ||
    [LIST, MAP, MAP_KEY_VALUE].some((one) => root.convertedType === one);
  if (!nested) return;
  throw parquetError("invalid_parquet", "the root of the schema is annotated as a list or map");
}

/**
 * The element as it may be written: a root without annotations, and a converted type that says the same as the
 * logical one (readers that know only one of them must not differ).
 */
function normalised(
  element: SchemaElement,
  kind: number,
  logical: Logical | undefined,
  isRoot: boolean,
): SchemaElement {
  if (isRoot) {
    return { ...blankElement(element.name), repetition: kind, numChildren: element.numChildren };
  }
  const converted = element.convertedType;
  if (logical === undefined || agrees(converted, logical)) {
    return element.repetition === kind ? element : { ...element, repetition: kind };
  }
  return { ...element, repetition: kind, convertedType: convertedTypeOf(logical) };
}

/** Whether a converted type stands for the logical type, or for the same time in another zone. */
function agrees(converted: number | undefined, logical: Logical): boolean {
  if (converted === undefined || converted === convertedTypeOf(logical)) return true;
  if (logical.kind === "MAP") return converted === convertedType.MAP_KEY_VALUE;
  // writers add it to local times too, for readers that know nothing else
  return (logical.kind === "TIME" || logical.kind === "TIMESTAMP") &&
    converted === convertedTypeOf({ ...logical, utc: true });
}

const texts: readonly (string | number)[] = [
  "STRING",
  "ENUM",
  "JSON",
  convertedType.UTF8,
  convertedType.ENUM,
  convertedType.JSON,
];

/**
 * Throws when the two annotations of an element mean different things: the logical one should win by the format,
 * DuckDB takes the other, so whichever is written would be wrong for somebody. Kinds of text are all text.
 */
function checkAnnotations(element: SchemaElement, logical: Logical | undefined): void {
  const converted = element.convertedType;
  if (logical === undefined || converted === undefined) return;
  const scaled = logical.kind !== "DECIMAL" ||
    ((element.scale ?? 0) === logical.scale && element.precision === logical.precision);
  if (scaled && agrees(converted, logical)) return;
  if (texts.includes(logical.kind) && texts.includes(converted)) return;
  throw parquetError(
    "invalid_parquet",
    `element ${printable(element.name)} of the schema is annotated as ${
      logicalText(logical)
    } and as ` +
      `${enumName(convertedType, converted)}, which contradict each other`,
  );
}

/** An element of nothing but a name, required. */
export function blankElement(name: string): SchemaElement {
  return {
    type: undefined,
    typeLength: undefined,
    repetition: repetition.REQUIRED,
    name,
    numChildren: undefined,
    convertedType: undefined,
    scale: undefined,
    precision: undefined,
    fieldId: undefined,
    logicalType: undefined,
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
  if (kind === undefined || kind === "LIST" || kind === "MAP" || kind === "VARIANT") return;
  throw parquetError(
    kind === "OTHER" ? "unsupported_parquet" : "invalid_parquet",
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

/** The normalised type of a leaf: the logical type where it says all, else the physical type with it. */
export function leafType(node: SchemaNode): string {
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
    case "DECIMAL":
      // stored in several ways, which do not mix without a conversion
      return `${logicalText(logical)}:${physical}`;
    default:
      return logicalText(logical);
  }
}

function physicalText(element: SchemaElement): string {
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

/** SHA-256 of {@link schemaText} in hex: equal for files whose rows can stand in one table unchanged. */
export function schemaFingerprint(tree: SchemaTree): string {
  return createHash("sha256").update(schemaText(tree)).digest("hex");
}

/**
 * The exact layout of the columns: paths, physical types, annotations and repetitions of every node. Files of
 * the same layout have the same levels and encodings of values, so that pages of one can stand in the other.
 */
export function layoutText(tree: SchemaTree): string {
  const layout = (node: SchemaNode): string =>
    JSON.stringify(node.name) + "!?*"[node.repetition] +
    (node.logical === undefined ? "" : logicalText(node.logical)) +
    (node.role === "leaf"
      ? `:${physicalText(node.element)}`
      : `{${node.children.map(layout).join(",")}}`);
  return tree.root.children.map(layout).join(",");
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

/** The tree for the catalog. */
export function schemaJson(tree: SchemaTree): SchemaJson {
  return nodeJson(tree.root);
}

function nodeJson(node: SchemaNode): SchemaJson {
  const json: SchemaJson = { name: node.name };
  if (node.role === "leaf") json.type = physicalText(node.element);
  if (node.logical !== undefined) json.logical = logicalText(node.logical);
  if (node.parent !== undefined) json.repetition = repetitionNames[node.repetition];
  if (node.element.fieldId !== undefined) json.field_id = node.element.fieldId;
  if (node.children.length > 0) json.children = node.children.map(nodeJson);
  return json;
}
