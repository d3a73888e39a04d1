/** How many columns a schema has, leaves counted. */
import type { SchemaJson } from "../../parquet/format/schema_json.ts";

/** Leaves of a schema that the catalog didn't give. */
const unknownLeaves = 32;

/** Counts the leaves of schemas by fingerprint. */
export function leafCounter(
  schemas: Readonly<Record<string, SchemaJson>> = {},
): (fingerprint: string) => number {
  const known = new Map<string, number>();
  return (fingerprint) => {
    let leaves = known.get(fingerprint);
    if (leaves === undefined) {
      const schema = Object.hasOwn(schemas, fingerprint) ? schemas[fingerprint] : undefined;
      leaves = schema === undefined ? unknownLeaves : Math.max(1, leavesIn(schema));
      known.set(fingerprint, leaves);
    }
    return leaves;
  };
}

/** The leaves of a schema. */
export function leavesIn(node: SchemaJson): number {
  if (node.children === undefined) return node.type === undefined ? 0 : 1;
  return node.children.reduce((sum, child) => sum + leavesIn(child), 0);
}
