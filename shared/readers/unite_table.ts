import { asSedimentError, type SedimentError } from "../errors.ts";
import { physicalType, repetition } from "../parquet/format/metadata.ts";
import { type SchemaTree, schemaTree } from "../parquet/format/schema.ts";
import { blankElement } from "../parquet/format/schema_element.ts";
import type { SchemaJson } from "../parquet/format/schema_json.ts";
import { usualSpelling } from "./usual_spelling.ts";
import { schemaFromJson } from "../parquet/merge/union/schema_from_json.ts";
import type { UnionOptions } from "../parquet/merge/union/union_options.ts";
import { compatibleGroups, unionSchema } from "../parquet/merge/union/union_schema.ts";

/** What readers unite: all that a table's settings may let a merge unite. */
export const readerUnion: UnionOptions = { uuidAsText: true };

/** A schema that some files of a table have. */
export interface FilesSchema {
  fingerprint: string;
  rows: number;
  schema: SchemaJson;
}

/** The columns of a table. */
export interface UnitedTable<S extends FilesSchema> {
  /** Undefined where no schema could be read. */
  tree: SchemaTree | undefined;
  /** Schemas that have no place in `tree`. */
  leftOut: S[];
  /** Why the first of them has none. */
  refusal: SedimentError | undefined;
}

/**
 * Unites the schemas of a table's files by the merge's rules; where some have no union with others, those whose files
 * hold the most rows.
 * @param project narrows a schema before it is united; undefined: nothing of it is left
 */
export function uniteTable<S extends FilesSchema>(
  schemas: readonly S[],
  project: (tree: SchemaTree) => SchemaTree | undefined = (tree) => tree,
): UnitedTable<S> {
  const leftOut: S[] = [];
  const taken: S[] = [];
  const trees: SchemaTree[] = [];
  let refusal: SedimentError | undefined;
  let lacking = false;
  for (const one of schemas) {
    try {
      const tree = project(usualSpelling(schemaFromJson(one.schema)));
      if (tree === undefined) {
        lacking = true;
        continue;
      }
      trees.push(tree);
      taken.push(one);
    } catch (error) {
      leftOut.push(one);
      refusal ??= asSedimentError(error);
    }
  }
  const groups = compatibleGroups(trees, readerUnion);
  const rows = groups.map(({ members }) =>
    members.reduce((sum, member) => sum + taken[member].rows, 0)
  );
  const most = rows.indexOf(Math.max(...rows));
  groups.forEach((group, i) => {
    if (i === most) return;
    leftOut.push(...group.members.map((member) => taken[member]));
    refusal ??= group.refusal ?? groups[most].refusal;
  });
  const tree = groups[most]?.schema;
  // a file without any of the columns has nulls in all of them
  return {
    tree: lacking && tree ? unionSchema([tree, nullsOf(tree)], readerUnion) : tree,
    leftOut,
    refusal,
  };
}

/** A schema whose columns are those of another, and hold nothing but nulls. */
function nullsOf({ root }: SchemaTree): SchemaTree {
  return schemaTree([
    root.element,
    ...root.children.map(({ name }) => ({
      ...blankElement(name),
      type: physicalType.INT32,
      repetition: repetition.OPTIONAL,
      logicalType: { kind: "UNKNOWN" as const },
    })),
  ]);
}
