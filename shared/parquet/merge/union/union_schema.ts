import { asSedimentError, type SedimentError } from "../../../errors.ts";
import { defaultLimits } from "../../format/limits.ts";
import type { SchemaElement } from "../../format/metadata.ts";
import { parquetError } from "../../format/parquet_error.ts";
import { type SchemaTree, schemaTree } from "../../format/schema.ts";
import { blankElement } from "../../format/schema_element.ts";
import { fieldView, sameSpelling } from "./field_view.ts";
import { appendElements } from "./union_elements.ts";
import { unionFields } from "./union_fields.ts";
import type { UnionOptions } from "./union_options.ts";

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
  for (const field of fields) appendElements(field, elements);
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
