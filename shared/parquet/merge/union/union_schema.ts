import { asSedimentError, type SedimentError } from "../../../errors.ts";
import { defaultLimits } from "../../format/limits.ts";
import { convertedType, repetition, type SchemaElement } from "../../format/metadata.ts";
import { parquetError } from "../../format/parquet_error.ts";
import { type SchemaNode, type SchemaTree, schemaTree } from "../../format/schema.ts";
import { blankElement } from "../../format/schema_element.ts";
import { ownLayout } from "../../format/schema_text.ts";
import { type FieldView, fieldView, isNull, sameSpelling, viewText } from "./field_view.ts";
import { type LeafElement, type LeafKind, leafKind } from "./leaf_kind.ts";
import { unionLeaf } from "./leaf_union.ts";
import type { UnionOptions } from "./union_options.ts";

/** A field of the union, with the fields of the files that it stands for. */
interface UnionField {
  name: string;
  nullable: boolean;
  kind: FieldView["kind"];
  /** Of the files that have it, in order. */
  views: FieldView[];
  children: UnionField[];
  leaf: LeafKind | undefined;
}

/**
 * The schema into which files of all the given schemas can be merged without loss: by name at every depth, in the
 * order in which names are first met; a field that any file lacks, or has nullable, is nullable; types are widened
 * as `leaf_union.ts` says. Throws `schema_incompatible`, naming the column and both types, when there is none,
 * or when it would have more elements than an input may have.
 */
export function unionSchema(trees: readonly SchemaTree[], options: UnionOptions = {}): SchemaTree {
  const [first] = trees;
  if (trees.every((tree) => sameSpelling(tree.root, first.root) || sameColumns(tree, first))) {
    return first;
  }
  const fields = unionFields(
    trees.map((tree) => tree.root.children.map(fieldView)),
    [],
    options,
  );
  const elements: SchemaElement[] = [{
    ...blankElement(first.root.name),
    repetition: undefined,
    numChildren: fields.length,
  }];
  for (const field of fields) emit(field, elements);
  if (elements.length > defaultLimits.schemaElements) {
    throw parquetError(
      "schema_incompatible",
      `the union has ${elements.length} elements, and ${defaultLimits.schemaElements} can be read back`,
    );
  }
  return schemaTree(elements);
}

/** Roots may be named differently. */
function sameColumns(one: SchemaTree, other: SchemaTree): boolean {
  return one.root.children.length === other.root.children.length &&
    one.root.children.every((child, i) => sameSpelling(child, other.root.children[i]));
}

/**
 * Splits schemas into groups, each of which has a union: in order, each schema goes to the first group that takes
 * it. Gives, for each group, its union and the indices of its schemas, and for all but the first why the first
 * group did not take the schema that opened it.
 */
export function compatibleGroups(
  trees: readonly SchemaTree[],
  options: UnionOptions = {},
): { schema: SchemaTree; members: number[]; refusal?: SedimentError }[] {
  const groups: { schema: SchemaTree; members: number[]; refusal?: SedimentError }[] = [];
  trees.forEach((tree, index) => {
    let refusal: SedimentError | undefined;
    for (const group of groups) {
      try {
        group.schema = unionSchema([group.schema, tree], options);
      } catch (thrown) {
        refusal ??= asSedimentError(thrown);
        continue;
      }
      group.members.push(index);
      return;
    }
    groups.push({ schema: tree, members: [index], ...(refusal !== undefined && { refusal }) });
  });
  return groups;
}

/** @param files the fields of a group in each file that has the group */
function unionFields(
  files: readonly FieldView[][],
  path: readonly string[],
  options: UnionOptions,
): UnionField[] {
  const byName = new Map<string, FieldView[]>();
  const spelled = new Map<string, string>();
  for (const fields of files) {
    for (const field of fields) {
      const lower = field.name.toLowerCase();
      const known = spelled.get(lower);
      if (known !== undefined && known !== field.name) {
        throw parquetError(
          "schema_incompatible",
          `the column is named ${field.name} in one file and ${known} in another`,
          { column: [...path, field.name] },
        );
      }
      spelled.set(lower, field.name);
      const views = byName.get(field.name);
      if (views === undefined) byName.set(field.name, [field]);
      else views.push(field);
    }
  }
  return [...byName].map(([name, views]) =>
    unionField(views, views.length < files.length, [...path, name], options)
  );
}

function unionField(
  views: FieldView[],
  missing: boolean,
  path: readonly string[],
  options: UnionOptions,
): UnionField {
  // a column of nulls takes any type
  const typed = views.filter((view) => !isNull(view));
  if (typed.length > 0 && typed.length < views.length) {
    return unionField(typed, true, path, options);
  }
  const [first] = views;
  const field: UnionField = {
    name: first.name,
    nullable: missing || views.some((view) => view.nullable),
    kind: first.kind,
    views,
    children: [],
    leaf: undefined,
  };
  const clash = views.find((view) => view.kind !== first.kind);
  if (clash !== undefined) throw incompatible(first, clash, path);
  checkLayouts(views, field.nullable, path);
  switch (first.kind) {
    case "leaf":
      field.leaf = leafKind(first.node);
      for (const view of views) {
        const union: LeafKind | undefined = unionLeaf(field.leaf, view.node, options);
        if (union === undefined) throw incompatible(first, view, path);
        field.leaf = union;
      }
      break;
    case "struct":
      field.children = unionFields(views.map((view) => view.children), path, options);
      break;
    case "list":
    case "map":
      // positions, not names
      field.children = first.children.map((child, i) =>
        unionField(views.map((view) => view.children[i]), false, [...path, child.name], options)
      );
      break;
    case "variant": {
      const other = views.find((view) =>
        viewText({ ...view, nullable: true }) !== viewText({ ...first, nullable: true })
      );
      if (other !== undefined) throw incompatible(first, other, path);
    }
  }
  return field;
}

/** What DuckDB nests otherwise can't be written in the usual layout, as it would be where the files differ. */
function checkLayouts(views: FieldView[], nullable: boolean, path: readonly string[]): void {
  const [first] = views;
  const layout = ownLayout(first.node);
  const other = views.find((view) => ownLayout(view.node) !== layout);
  if (other !== undefined) throw incompatible(first, other, path);
  if (layout !== "" && nullable && first.node.repetition === repetition.REPEATED) {
    throw parquetError(
      "schema_incompatible",
      "a repeated group of one field is missing in one file, and is no list that can be null",
      { column: path },
    );
  }
}

function incompatible(one: FieldView, other: FieldView, path: readonly string[]) {
  const cut = (text: string) => text.length > 500 ? `${text.slice(0, 500)}…` : text;
  return parquetError(
    "schema_incompatible",
    `the types ${cut(viewText(one))} and ${cut(viewText(other))} have no common one without loss`,
    { column: path },
  );
}

/** Adds a field's elements in depth-first order. */
function emit(field: UnionField, elements: SchemaElement[]): void {
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
      for (const child of field.children) emit(child, elements);
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
      emit(named(field.children[0], "element"), elements);
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
      emit(named(field.children[0], "key"), elements);
      emit(named(field.children[1], "value"), elements);
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
