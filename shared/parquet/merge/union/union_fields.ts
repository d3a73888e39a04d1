/** The fields of a union: by name at every depth, of the type that all files' types widen to. */
import { repetition } from "../../format/metadata.ts";
import { parquetError } from "../../format/parquet_error.ts";
import { ownLayout } from "../../format/schema_text.ts";
import { type FieldView, isNull, viewText } from "./field_view.ts";
import { type LeafKind, leafKind } from "./leaf_kind.ts";
import { unionLeaf } from "./leaf_union.ts";
import type { UnionOptions } from "./union_options.ts";

/** A field of the union, with the fields of the files that it stands for. */
export interface UnionField {
  name: string;
  nullable: boolean;
  kind: FieldView["kind"];
  /** Of the files that have it, in order. */
  views: FieldView[];
  children: UnionField[];
  leaf: LeafKind | undefined;
}

/**
 * The fields of a group, in the order in which their names are first met. Throws `schema_incompatible`.
 *
 * @param files the fields of the group in each file that has it
 */
export function unionFields(
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
