/** The grouping of schemas that compaction uses: `shared/parquet/union` over the catalog's JSON. */
import { asSedimentError } from "../../errors.ts";
import type { SchemaTree } from "../../parquet/format/schema.ts";
import { type SchemaJson, schemaJson } from "../../parquet/format/schema_json.ts";
import { schemaFromJson } from "../../parquet/merge/union/schema_from_json.ts";
import { compatibleGroups } from "../../parquet/merge/union/union_schema.ts";
import type { UnitedSchemas, UniteSchemas } from "./schema_groups.ts";

/**
 * Most of schemas × their elements together, which bounds the work: each schema is compared with each group.
 * 60 schemas of 50 columns fit. What comes later stays apart, and joins when the first are one.
 */
const maxWork = 200_000;

/**
 * Splits schemas into groups that have a union; one that can't be read is a group of its own. Files whose keys make
 * readers read the same values otherwise (`reading`) are no group.
 */
export const uniteSchemas: UniteSchemas = (schemas, options) => {
  const byReading = Map.groupBy(schemas.keys(), (index) => schemas[index].reading ?? "");
  return [...byReading.values()].flatMap((indices, place) =>
    uniteAlike(indices.map((index) => schemas[index]), options).map((group): UnitedSchemas => ({
      ...group,
      members: group.members.map((member) => indices[member]),
      ...(place > 0 && { refusal: group.refusal ?? "their keys are to be read otherwise" }),
    }))
  );
};

/** The same of schemas of one reading. */
const uniteAlike: UniteSchemas = (schemas, options) => {
  const reading = schemas[0]?.reading ?? "";
  const trees: SchemaTree[] = [];
  const indices: number[] = [];
  const apart: UnitedSchemas[] = [];
  let elements = 0;
  for (const [index, schema] of schemas.entries()) {
    const size = elementsOf(schema);
    if ((trees.length + 1) * (elements + size) > maxWork) {
      apart.push({
        schema,
        members: [index],
        refusal: "there are too many schemas to unite at once",
      });
      continue;
    }
    try {
      trees.push(schemaFromJson(schema));
    } catch (thrown) {
      apart.push({ schema, members: [index], refusal: asSedimentError(thrown).message });
      continue;
    }
    indices.push(index);
    elements += size;
  }
  const groups = compatibleGroups(trees, options).map((
    { schema, members, refusal },
  ): UnitedSchemas => ({
    schema: members.length === 1 ? schemas[indices[members[0]]] : schemaJson(schema, reading),
    members: members.map((member) => indices[member]),
    ...(refusal !== undefined && { refusal: refusal.message }),
  }));
  return [...groups, ...apart];
};

function elementsOf(schema: SchemaJson): number {
  return (schema.children ?? []).reduce((sum, child) => sum + elementsOf(child), 1);
}
